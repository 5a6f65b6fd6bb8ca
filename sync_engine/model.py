"""The data model of a CRM Vault: objects and fields as JSON documents.

The Vault stores it as configuration in its own tables, so that an administrator can change it while devices
are offline. It covers a small part of the real Vault CRM model and uses Vault's names.
"""

from __future__ import annotations

from sync_engine.json_docs import JsonDict

SYSTEM_FIELDS = (
    "id",
    "mobile_id__v",
    "created_by__v",
    "modified_by__v",
    "created_date__v",
    "modified_date__v",
)
"""Fields that Vault writes itself. Incremental sync needs Read permission on `modified_date__v`."""


def text(length: int = 100, **attributes: object) -> JsonDict:
    """Define a text field of at most `length` characters."""
    return {"type": "text", "length": length, **attributes}


def number(low: float | None = None, high: float | None = None, **attributes: object) -> JsonDict:
    """Define a number field with inclusive limits."""
    return {"type": "number", "min": low, "max": high, **attributes}


def picklist(*values: str, **attributes: object) -> JsonDict:
    """Define a picklist field that allows the API names in `values`."""
    return {"type": "picklist", "values": list(values), **attributes}


def reference(to: str, **attributes: object) -> JsonDict:
    """Define a field that stores the id of a record of object `to`."""
    return {"type": "reference", "to": to, **attributes}


def date(**attributes: object) -> JsonDict:
    """Define a date field, stored as ISO text."""
    return {"type": "date", **attributes}


def boolean(**attributes: object) -> JsonDict:
    """Define a yes/no field."""
    return {"type": "boolean", **attributes}


def object_definition(name: str, fields: JsonDict, **attributes: object) -> JsonDict:
    """Define an object.

    Sharing is `public` or `territory`. `parent` is the reference field whose record determines the territory.
    """
    return {"name": name, "sharing": "territory", "parent": None, "root": None, "fields": fields} | attributes


def default_objects() -> dict[str, JsonDict]:
    """Return the objects of a new Vault by name."""
    objects = [
        object_definition(
            "product__v",
            {"name__v": text(), "status__v": picklist("active__v", "inactive__v")},
            sharing="public",
        ),
        object_definition(
            "veeva_settings__v",
            {
                "name__v": text(),
                "value__v": text(255),
                "application_profile__v": text(),
                "security_profile__v": text(),
            },
            sharing="public",
        ),
        object_definition(
            "account__v",
            {
                "name__v": text(120, required=True),
                "specialty__v": picklist("cardiology__v", "oncology__v", "neurology__v", "primary_care__v"),
                "phone__v": text(40),
                "email__v": text(80),
                "npi__v": text(20, unique=True),
                "beds__v": number(0, 5000),
                "status__v": picklist("active__v", "inactive__v"),
                "ownerid__v": reference("user__sys"),
            },
        ),
        object_definition(
            "address__v",
            {
                "account__v": reference("account__v", required=True),
                "name__v": text(120, required=True),
                "city__v": text(60),
                "postal_code__v": text(12),
                "primary__v": boolean(),
            },
            parent="account__v",
        ),
        object_definition(
            "tsf__v",
            {
                "account__v": reference("account__v", required=True),
                "my_target__v": boolean(),
                "route__v": text(40),
                "calls_goal__v": number(0, 500),
            },
            parent="account__v",
        ),
        object_definition(
            "call2__v",
            {
                "account__v": reference("account__v", required=True),
                "call_date__v": date(required=True),
                "status__v": picklist("planned__v", "saved__v", "submitted__v"),
                "call_type__v": picklist("detail_only__v", "detail_with_samples__v", "call_only__v"),
                "call_channel__v": picklist("face_to_face__v", "phone__v", "video__v"),
                "next_call_notes__v": text(800),
                "duration__v": number(0, 600),
                "ownerid__v": reference("user__sys"),
                "signature__v": text(400_000),
            },
            parent="account__v",
            root="call2__v",
            lockable=True,
        ),
        object_definition(
            "call2_detail__v",
            {
                "call2__v": reference("call2__v", required=True),
                "product__v": reference("product__v", required=True),
                "detail_priority__v": number(1, 20),
            },
            parent="call2__v",
            root="call2__v",
        ),
        object_definition(
            "call2_sample__v",
            {
                "call2__v": reference("call2__v", required=True),
                "product__v": reference("product__v", required=True),
                "quantity__v": number(1, 200, required=True),
                "lot__v": text(30),
            },
            parent="call2__v",
            root="call2__v",
        ),
        object_definition(
            "order__v",
            {
                "account__v": reference("account__v", required=True),
                "order_date__v": date(),
                "status__v": picklist("in_progress__v", "submitted__v"),
                "net_amount__v": number(0, 1_000_000),
            },
            parent="account__v",
            lockable=True,
        ),
        object_definition(
            "medical_insight__v",
            {
                "account__v": reference("account__v", required=True),
                "summary__v": text(500),
                "interest_level__v": picklist("high__v", "medium__v", "low__v"),
                "detail__c": text(200),
            },
            parent="account__v",
        ),
    ]
    return {definition["name"]: definition for definition in objects}


def default_settings() -> dict[str, object]:
    """Return the settings of a new Vault by name.

    Values that Veeva does not document are assumptions (docs/engine-assumptions.md).
    """
    return {
        "sync_warn_interval__v": 3,
        "max_accounts__v": 50_000,
        "max_accounts_ipad__v": 15_000,
        "call_backdate_limit__v": -1,
        "future_call_limit_days": 0,
        "conflict_rule": "field",
        "session_inactivity_hours": 8,
        "session_maximum_hours": 48,
        "minimum_app_version": "",
        "configuration_mode": False,
        "bulk_row_limit": 500,
        "page_rows": 1000,
        "payload_limit_bytes": 5_000_000,
        "storage_used_share": 0.4,
        "disable_veeva_merge__v": False,
        "save_as_system": True,
    }
