"""Users as the users endpoints and the query target `users` show them.

Source of the fields: Veeva, API reference 25.2, *Retrieve User Metadata* and *Retrieve User*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync_engine.json_docs import JsonDict
from sync_engine.vault_api.configuration_objects import creation_time
from sync_engine.vault_api.messages import format_timestamp
from sync_engine.vault_api.objects import VAULT_ID, Field, FieldType, Object, to_user_number
from sync_engine.vault_api.server_state import DOMAIN, DOMAIN_ID, ServerState
from sync_engine.vault_api.vql.engine import USERS


@dataclass(frozen=True, slots=True)
class UserField:
    """One field of a user. `type` is the type name of the users endpoint."""

    name: str
    type: str
    length: int
    editable: bool = True
    required: bool = False
    multivalue: bool = False
    object: str | None = None

    def describe(self) -> JsonDict:
        """Return the description for the metadata of users."""
        entry: JsonDict = {"name": self.name, "type": self.type, "length": self.length}
        entry |= {"object": self.object} if self.object else {}
        return entry | {
            "editable": self.editable,
            "queryable": not self.multivalue,
            "required": self.required,
            "multivalue": self.multivalue,
            "onCreateEditable": self.editable,
        }


USER_FIELDS = (
    UserField("id", "id", 20, editable=False, required=True, object="users"),
    UserField("user_name__v", "String", 255, required=True),
    UserField("user_first_name__v", "String", 100, required=True),
    UserField("user_last_name__v", "String", 100, required=True),
    UserField("user_email__v", "String", 255, required=True),
    UserField("user_timezone__v", "String", 255, required=True),
    UserField("user_locale__v", "String", 10, required=True),
    UserField("user_language__v", "String", 10, required=True),
    UserField("is_domain_admin__v", "Boolean", 1),
    UserField("active__v", "Boolean", 1),
    UserField("domain_active__v", "Boolean", 1),
    UserField("user_needs_to_change_password__v", "Boolean", 1),
    UserField("created_date__v", "Calendar", 0, editable=False, required=True),
    UserField("created_by__v", "ObjectReference", 20, editable=False, required=True, object="users"),
    UserField("modified_date__v", "Calendar", 0, editable=False, required=True),
    UserField("modified_by__v", "ObjectReference", 20, editable=False, required=True, object="users"),
    UserField("domain_id__v", "ObjectReference", 20, editable=False, required=True, object="domains"),
    UserField("domain_name__v", "String", 255, editable=False),
    UserField(
        "vault_id__v", "ObjectReference", 20, editable=False, required=True, multivalue=True, object="vaults"
    ),
    UserField("last_login__v", "Calendar", 0, editable=False),
    UserField("security_profile__v", "ObjectReference", 40, object="Securityprofile"),
    UserField("license_type__v", "Picklist", 40),
)
"""The fields of a user that this Vault has a value for."""
_QUERY_TYPES: dict[str, FieldType] = {
    "id": "ID",
    "Boolean": "Boolean",
    "Calendar": "DateTime",
}


def build_user_entry(server: ServerState, user: JsonDict) -> JsonDict:
    """Return a user with all fields of the users endpoint."""
    first, _, last = user["name"].partition(" ")
    created = format_timestamp(creation_time(server.vault))
    return {
        "id": to_user_number(user["id"]),
        "user_name__v": user["email"],
        "user_first_name__v": first,
        "user_last_name__v": last,
        "user_email__v": user["email"],
        "user_timezone__v": user["time_zone"],
        "user_locale__v": f"{user['language']}_{user['country']}",
        "user_language__v": user["language"],
        "is_domain_admin__v": bool(user.get("admin")),
        "active__v": user["active"],
        "domain_active__v": user["active"],
        "user_needs_to_change_password__v": bool(user.get("password_expired")),
        "created_date__v": created,
        "created_by__v": 1,
        "modified_date__v": created,
        "modified_by__v": 1,
        "domain_id__v": DOMAIN_ID,
        "domain_name__v": DOMAIN,
        "vault_id__v": [VAULT_ID],
        "last_login__v": format_timestamp(server.last_login(user)),
        "security_profile__v": user["security_profile"],
        "license_type__v": "full__v",
    }


def list_user_entries(server: ServerState) -> Iterator[JsonDict]:
    """Yield all users, ordered by id."""
    users = server.vault.live.get("user", {}).values()
    for user in sorted(users, key=lambda user: (len(str(user["id"])), str(user["id"]))):
        yield build_user_entry(server, user)


def build_users_target(server: ServerState) -> Object:
    """Return the query target `users`, which is no object of the Vault."""
    fields = {
        entry.name: Field(name=entry.name, type=_QUERY_TYPES.get(entry.type, "String"), editable=False)
        for entry in USER_FIELDS
        if not entry.multivalue
    }
    return Object(name=USERS, fields=fields, rows=lambda: list_user_entries(server))
