"""Push alerts, their objects and their VMOCs. Alerts sync like other records."""

from __future__ import annotations

from sync_engine.model import object_definition, reference, text
from sync_engine.vault import records
from sync_engine.vault.state import Vault
from sync_engine.vmoc import vmoc

PUSH_OBJECTS = ("alert__v", "alert_profile__v", "alert_user_action__v")
"""Objects of push alerts. Documented: each needs an active VMOC."""


def add_alert_objects(vault: Vault) -> None:
    """Add and publish the push alert objects for all users, each with a VMOC."""
    fields = {"name__v": text(required=True)}
    child_fields = fields | {"alert__v": reference("alert__v")}
    for name in PUSH_OBJECTS:
        object_fields = fields if name == "alert__v" else child_fields
        vault.configure("object", name, object_definition(name, object_fields, sharing="public"))
        vault.configure("vmoc", name, vmoc(name, "full_object__v"))
    vault.publish()


def create_alert(vault: Vault, name: str, *, at: float) -> str:
    """Create an alert for all users and return its id."""
    with vault.transaction():
        return records.insert(vault, "alert__v", {"name__v": name}, at=at, by="admin").id
