"""Metadata endpoints: objects, fields, picklists, permission sets."""

from __future__ import annotations

from collections.abc import Iterator

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.configuration_objects import creation_time
from sync_engine.vault_api.messages import Reply, format_timestamp, success_reply
from sync_engine.vault_api.objects import Field, Object, format_label, format_plural_label, object_prefix
from sync_engine.vault_api.server_state import ApiCall

AUDITED = frozenset({"vmobile_object_configuration__v", "user__sys", "veeva_settings__v"})
"""Objects whose records have an audit trail in the served Vault."""


def field_entry(definition: Field) -> JsonDict:
    """Return the field description for object metadata and query descriptions."""
    entry: JsonDict = {
        "name": definition.name,
        "label": definition.label,
        "type": definition.type,
    }
    entry |= {
        "required": definition.required,
        "editable": definition.editable,
        "unique": definition.unique,
        "status": [_status(definition.active)],
    }
    entry["source"] = "custom" if definition.name.endswith("__c") else "standard"
    if definition.length:
        entry["max_length"] = definition.length
    if definition.type == "Number":
        entry |= {
            "min_value": definition.low,
            "max_value": definition.high,
            "scale": 0 if definition.name.startswith("number_") else 3,
        }
    if definition.type == "Picklist":
        entry |= {"picklist": definition.name, "multi_value": definition.multi_value}
    if definition.to:
        entry["object"] = {"name": definition.to, "label": format_label(definition.to)}
        entry |= {"relationship_type": "reference", "relationship_outbound_name": definition.relationship}
    return entry


def list_objects(call: ApiCall) -> Reply:
    """Handle `GET /metadata/vobjects`: list the objects."""
    return success_reply(
        {"objects": [_object_summary(call, source) for _, source in sorted(call.list_objects().items())]}
    )


def get_object(call: ApiCall) -> Reply:
    """Handle `GET /metadata/vobjects/{object}`: return an object with its fields."""
    source = require_readable_object(call, call.args["object"])
    created_at = format_timestamp(creation_time(call.vault))
    urls = {
        "metadata": call.url(f"/metadata/vobjects/{source.name}"),
        "list": call.url(f"/vobjects/{source.name}"),
    }
    urls |= {"field": urls["metadata"] + "/fields/{name}", "record": urls["list"] + "/{id}"}
    details: JsonDict = {
        "data_store": "standard", "object_class": "base", "auditable": source.name in AUDITED, "allow_types": False,
        "secure_audit_trail": False, "dynamic_security": False, "allow_attachments": False, "system_managed": False,
        "available_lifecycles": [], "default_obj_type": "base__v", "created_by": 1, "created_date": created_at,
        "modified_by": 1, "modified_date": created_at, "urls": urls,
        "relationships": list(_describe_relationships(call, source)),
        "fields": [_describe_field(source, name, created_at) for name in source.fields], "description": None,
        "help_content": None, "enable_esignatures": False, "role_overrides": False, "secure_attachments": False,
        "secure_sharing_settings": False, "prevent_record_overwrite": False, "user_role_setup_object": None,
    }  # fmt: skip
    return success_reply({"object": _object_summary(call, source) | details})


def _describe_field(source: Object, name: str, created_at: str | None) -> JsonDict:
    return field_entry(source.fields[name]) | {
        "order": list(source.fields).index(name), "no_copy": name == "id", "list_column": False,
        "facetable": False, "encrypted": False, "lookup_relationship_name": None, "lookup_source_field": None,
        "description": None, "help_content": None, "created_by": 1, "created_date": created_at, "modified_by": 1,
        "modified_date": created_at,
    }  # fmt: skip


def _describe_relationships(call: ApiCall, source: Object) -> Iterator[JsonDict]:
    """Yield the relationships of an object: references to other objects, then child objects."""
    for reference in source.fields.values():
        if reference.to:
            yield _relationship(call, str(reference.relationship), reference.name, "outbound", reference.to)
    for name, (child, key) in source.inbound.items():
        yield _relationship(call, name, key, "inbound", child)


def _relationship(call: ApiCall, name: str, field: str, direction: str, target: str) -> JsonDict:
    return {
        "relationship_name": name,
        "relationship_label": format_label(field if direction == "outbound" else target),
        "field": field,
        "relationship_type": f"reference_{direction}",
        "relationship_deletion": "block",
        "object": object_reference(call, target),
    }


def object_reference(call: ApiCall, name: str) -> JsonDict:
    """Return the short description of an object that replies refer to."""
    return {
        "url": call.url(f"/metadata/vobjects/{name}"),
        "label": format_label(name),
        "name": name,
        "label_plural": format_plural_label(name),
        "prefix": object_prefix(name),
    }


def get_field(call: ApiCall) -> Reply:
    """Handle `GET /metadata/vobjects/{object}/fields/{field}`: return a field."""
    source = require_readable_object(call, call.args["object"])
    definition = source.fields.get(call.args["field"])
    if definition is None:
        raise VaultError(
            "ATTRIBUTE_NOT_SUPPORTED", f"[{call.args['field']}] is not a field of [{source.name}]"
        )
    created_at = format_timestamp(creation_time(call.vault))
    return success_reply({"field": _describe_field(source, definition.name, created_at)})


CUSTOM_OBJECTS = 20
"""Maximum number of custom objects, as in the published example."""


def get_limits(call: ApiCall) -> Reply:
    """Handle `GET /limits`: return how many custom objects can be created."""
    custom = sum(name.endswith("__c") for name in call.vault.live["object"])
    remaining = max(0, CUSTOM_OBJECTS - custom)
    return success_reply(
        {"data": [{"name": "custom_objects", "remaining": remaining, "max": CUSTOM_OBJECTS}]}
    )


def require_readable_object(call: ApiCall, name: str) -> Object:
    """Return an object that the caller may read.

    Raises VaultError with MALFORMED_URL if there is none.
    """
    source = call.list_objects().get(name)
    if source is None:
        raise VaultError("MALFORMED_URL", f"The object [{name}] does not exist or cannot be read")
    return source


def _object_summary(call: ApiCall, source: Object) -> JsonDict:
    return {
        "url": call.url(f"/metadata/vobjects/{source.name}"), "label": source.label, "name": source.name,
        "label_plural": source.label_plural, "prefix": source.prefix, "order": 0, "in_menu": True,
        "source": "custom" if source.name.endswith("__c") else "standard", "status": [_status(source.active)],
        "configuration_state": "STEADY_STATE",
    }  # fmt: skip


def _status(active: bool) -> str:
    return "active__v" if active else "inactive__v"
