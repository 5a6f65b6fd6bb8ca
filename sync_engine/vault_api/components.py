"""Endpoints for picklists and other components of the configuration."""

from __future__ import annotations

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.messages import Reply, success_reply
from sync_engine.vault_api.objects import Field, Object, format_label, format_plural_label
from sync_engine.vault_api.server_state import ApiCall

_SUCCESS = {"responseMessage": "Success"}
_TYPES = {"Object": "OBJ", "Picklist": "PIL", "Securityprofile": "SPR"}
"""Component types with their abbreviations. Permission sets are no type here, as Vault documents."""


def list_picklists(call: ApiCall) -> Reply:
    """Handle `GET /objects/picklists`: list the picklists."""
    usages: dict[str, list[JsonDict]] = {}
    for source in call.list_objects().values():
        for definition in source.fields.values():
            if definition.type == "Picklist":
                usages.setdefault(definition.name, []).append(
                    {"objectName": source.name, "propertyName": definition.name}
                )
    return success_reply(
        _SUCCESS
        | {
            "picklists": [
                {
                    "name": name,
                    "label": format_label(name),
                    "kind": "global",
                    "systemManaged": False,
                    "usedIn": places,
                }
                for name, places in sorted(usages.items())
            ]
        }
    )


def get_picklist(call: ApiCall) -> Reply:
    """Handle `GET /objects/picklists/{name}`: return the picklist values and labels."""
    name, labels = call.args["name"], dict[str, str]()
    exists = False
    for source in call.list_objects().values():
        if name in source.fields and source.fields[name].type == "Picklist":
            exists = True
            labels |= {value: format_label(value) for value in picklist_values(source, source.fields[name])}
    if not exists:
        raise VaultError("INVALID_DATA", f"The picklist [{name}] does not exist")
    return success_reply(
        _SUCCESS | {"picklistValues": [{"name": key, "label": text} for key, text in sorted(labels.items())]}
    )


def picklist_values(source: Object, definition: Field) -> list[str]:
    """Return the defined values of a picklist, or else the values in use."""
    if definition.values:
        return list(definition.values)
    values_in_use = {str(value) for row in source.rows() for value in row.get(definition.name) or ()}
    return sorted(values_in_use)


def list_component_types(call: ApiCall) -> Reply:
    """Handle `GET /metadata/components`: list the component types."""
    return success_reply({"data": [_component_type(call, name) for name in _TYPES]})


def get_component_type(call: ApiCall) -> Reply:
    """Handle `GET /metadata/components/{type}`: describe a component type."""
    name = call.args["type"]
    if name not in _TYPES:
        raise VaultError("INVALID_DATA", f"The component type [{name}] does not exist")
    attributes = [
        {"name": "label", "type": "String", "requiredness": "required", "max_length": 40, "editable": True},
        {"name": "active", "type": "Boolean", "requiredness": "required", "editable": True},
    ]
    described = _component_type(call, name) | {
        "attributes": [attribute | {"multi_value": False} for attribute in attributes],
        "sub_components": [],
    }
    return success_reply({"data": described})


def _component_type(call: ApiCall, name: str) -> JsonDict:
    return {
        "url": call.url(f"/metadata/components/{name}"), "name": name, "class": "metadata",
        "abbreviation": _TYPES[name], "active": True, "label": format_label(name.lower()),
        "label_plural": format_plural_label(name.lower()),
    }  # fmt: skip


def list_components(call: ApiCall) -> Reply:
    """Handle `GET /configuration/{type}` and `/configuration/{type}.{name}`.

    Only permission sets are served.
    """
    kind, _, name = call.args["type"].partition(".")
    if kind != "Permissionset":
        raise VaultError("INVALID_DATA", f"Components of the type [{kind}] are not served")
    permission_sets = call.vault.live.get("permission_set", {})
    if not name:
        return success_reply(
            {"data": [_permission_set(key, doc) for key, doc in sorted(permission_sets.items())]}
        )
    if name not in permission_sets:
        raise VaultError("INVALID_DATA", f"The component [Permissionset.{name}] does not exist")
    return success_reply({"data": _permission_set(name, permission_sets[name])})


def _permission_set(name: str, doc: JsonDict) -> JsonDict:
    body = {key: value for key, value in doc.items() if key != "name"}
    return {"name": name, "label": format_label(name), "active": True} | body
