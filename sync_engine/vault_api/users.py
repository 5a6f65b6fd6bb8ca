"""User endpoints: the current user, all users, and their permissions."""

from __future__ import annotations

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import permissions
from sync_engine.vault_api.messages import Reply, parse_whole_number, success_reply
from sync_engine.vault_api.objects import VAULT_ID, to_user_number
from sync_engine.vault_api.server_state import ApiCall


def get_current_user(call: ApiCall) -> Reply:
    """Handle `GET /objects/users/me`: return the current user."""
    return success_reply({"users": [{"user": _user_entry(call.user)}]})


def list_users(call: ApiCall) -> Reply:
    """Handle `GET /objects/users`: return a page of users."""
    size = parse_whole_number(call.request.query.get("limit"), 200, low=1, high=1000)
    start = parse_whole_number(call.request.query.get("start"), 0)
    users = sorted(call.vault.live.get("user", {}).values(), key=lambda user: str(user["id"]))
    page = [{"user": _user_entry(user)} for user in users[start : start + size]]
    return success_reply(
        {"size": len(page), "start": start, "limit": size, "total": len(users), "users": page}
    )


def get_user(call: ApiCall) -> Reply:
    """Handle `GET /objects/users/{id}`: return a user."""
    return success_reply({"users": [{"user": _user_entry(_find_user(call))}]})


def get_user_permissions(call: ApiCall) -> Reply:
    """Handle `GET /objects/users/{id}/permissions`: return the permissions of a user.

    The optional filter has the form `filter=name__v::object.{object}.object_actions`.
    """
    user = _find_user(call)
    requested_name = call.request.query.get("filter", "").removeprefix("name__v::")
    entries = _user_permissions(call, user)
    if requested_name:
        entries = {name: entry for name, entry in entries.items() if name == requested_name}
    return success_reply(
        {"data": [{"name__v": name, "permissions": entry} for name, entry in sorted(entries.items())]}
    )


def get_domain(call: ApiCall) -> Reply:
    """Handle `GET /objects/domain`: return the domain and its Vaults."""
    vault = {"id": str(VAULT_ID), "vault_name__v": "Reference Vault", "vault_status__v": "Active"}
    return success_reply(
        {"domain__v": {"domain_name__v": "example.com", "domain_type__v": "Testing", "vaults__v": [vault]}}
    )


def _find_user(call: ApiCall) -> JsonDict:
    if call.args["id"] == "me":
        return call.user
    user = call.vault.find_user(call.args["id"])
    if user is None:
        raise VaultError("USER_NOT_FOUND", f"The user [{call.args['id']}] does not exist")
    return user


def _user_permissions(call: ApiCall, user: JsonDict) -> dict[str, JsonDict]:
    entries: dict[str, JsonDict] = {}
    exceptions = permissions.user_permission_set(call.vault, user)
    for source in call.list_objects().values():
        name = source.name
        verbs = ("read", "create", "edit", "delete")
        entries[f"object.{name}.object_actions"] = {
            verb: bool(exceptions["objects"].get(name, {}).get(verb, True)) for verb in verbs
        }
        for field in source.fields:
            entries[f"object.{name}.{field}.field_actions"] = {
                "read": permissions.allows_field(call.vault, user, name, field, "read"),
                "edit": permissions.allows_field(call.vault, user, name, field, "edit"),
            }
    entries["application.api.metadata_api"] = {"read": bool(exceptions["metadata_api"])}
    return entries


def _user_entry(user: JsonDict) -> JsonDict:
    first, _, last = user["name"].partition(" ")
    return {
        "id": to_user_number(user["id"]),
        "user_name__v": user["email"],
        "user_first_name__v": first,
        "user_last_name__v": last,
        "user_email__v": user["email"],
        "user_timezone__v": user["time_zone"],
        "user_language__v": user["language"],
        "active__v": user["active"],
        "security_profile__v": user["security_profile"],
        "license_type__v": "full__v",
        "vault_membership": [{"id": VAULT_ID, "active__v": user["active"]}],
    }
