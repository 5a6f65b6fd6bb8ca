"""Endpoints for users, their permissions and the domain."""

from __future__ import annotations

from collections.abc import Mapping

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault import permissions
from sync_engine.vault_api.messages import Reply, parse_whole_number, success_reply
from sync_engine.vault_api.objects import VAULT_ID
from sync_engine.vault_api.server_state import DOMAIN, ApiCall
from sync_engine.vault_api.user_entries import USER_FIELDS, build_user_entry, list_user_entries

_APPLICATION = {"name": "crm__v", "label": "Vault CRM"}


def describe_users(call: ApiCall) -> Reply:
    """Handle `GET /metadata/objects/users`: describe the fields of users."""
    return success_reply({"properties": [entry.describe() for entry in USER_FIELDS]})


def get_current_user(call: ApiCall) -> Reply:
    """Handle `GET /objects/users/me`: return the current user."""
    return success_reply({"users": [{"user": _present_user(call, build_user_entry(call.server, call.user))}]})


def list_users(call: ApiCall) -> Reply:
    """Handle `GET /objects/users`: return a page of users.

    Parameters are `limit`, `start`, `sort` and `vaults`.
    """
    query = call.request.query
    size = parse_whole_number(query.get("limit"), 200, low=1, high=1000)
    start = parse_whole_number(query.get("start"), 0)
    sort = query.get("sort", "id asc")
    entries = _sort_users(list(list_user_entries(call.server)), sort) if _includes_vault(query) else []
    page = [{"user": _present_user(call, entry)} for entry in entries[start : start + size]]
    details = {"size": len(page), "start": start, "limit": size, "sort": sort, "total": len(entries)}
    return success_reply(details | {"users": page})


def _includes_vault(query: Mapping[str, str]) -> bool:
    """Return whether the parameter `vaults` includes this Vault. Raises VaultError for an unknown value."""
    text = query.get("vaults", "all")
    if text in ("all", "-1"):
        return bool(text == "all")
    ids = text.split(",")
    if not all(part.strip().isdigit() for part in ids):
        raise VaultError("INVALID_DATA", f"[{text}] is not a list of Vault ids; use all, -1 or numbers")
    return str(VAULT_ID) in {part.strip() for part in ids}


def _sort_users(entries: list[JsonDict], sort: str) -> list[JsonDict]:
    name, _, direction = sort.partition(" ")
    if name not in {entry.name for entry in USER_FIELDS} or direction not in ("asc", "desc", ""):
        raise VaultError("INVALID_DATA", f"[{sort}] is not a sort order; use a field and asc or desc")
    return sorted(
        entries,
        key=lambda entry: (entry[name] is not None, str(entry[name]) if name != "id" else 0, entry["id"]),
        reverse=direction == "desc",
    )


def _present_user(call: ApiCall, entry: JsonDict) -> JsonDict:
    """Add the Vault membership, which Vault leaves out unless it is requested."""
    if call.request.query.get("exclude_vault_membership") != "false":
        return entry
    membership = {
        "id": VAULT_ID,
        "active__v": entry["active__v"],
        "security_profile__v": entry["security_profile__v"],
        "license_type__v": entry["license_type__v"],
    }
    return entry | {"vault_membership": [membership]}


def get_user(call: ApiCall) -> Reply:
    """Handle `GET /objects/users/{id}`: return a user."""
    entry = build_user_entry(call.server, _find_user(call))
    return success_reply({"users": [{"user": _present_user(call, entry)}]})


def get_user_permissions(call: ApiCall) -> Reply:
    """Handle `GET /objects/users/{id}/permissions`: return the permissions of a user.

    The optional filter has the form `filter=name__v::object.{object}.object_actions`.
    """
    user = _find_user(call)
    entries = _user_permissions(call, user)
    requested = call.request.query.get("filter")
    if requested is not None:
        name = requested.removeprefix("name__v::")
        if name not in entries:
            raise VaultError("INVALID_DATA", f"There is no permission [{name}]; wildcards are not supported")
        entries = {name: entries[name]}
    return success_reply(
        {"data": [{"name__v": name, "permissions": entry} for name, entry in sorted(entries.items())]}
    )


def get_domain(call: ApiCall) -> Reply:
    """Handle `GET /objects/domain`: return the domain and its Vaults."""
    family = {"name__v": "commercial__v", "label__v": "Commercial"}
    vault: JsonDict = {
        "id": VAULT_ID,
        "vault_name__v": "Reference Vault",
        "vault_status__v": "Active",
        "vault_family__v": family,
    }
    if call.request.query.get("include_application") == "true":
        vault["vault_application__v"] = [_APPLICATION]
    domain = {"domain_name__v": DOMAIN, "domain_type__v": "Test", "vaults__v": [vault]}
    return success_reply({"responseMessage": "Success", "domain__v": domain})


def list_domains(call: ApiCall) -> Reply:
    """Handle `GET /objects/domains`: list the domains of the user."""
    return success_reply({"responseMessage": "Success", "domains": [{"name": DOMAIN, "type": "Test"}]})


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
        entries[f"object.{name}.object_actions"] = dict(call.server.object_rights(user, source))
        for field in source.fields:
            entries[f"object.{name}.{field}.field_actions"] = {
                "read": permissions.allows_field(call.vault, user, name, field, "read"),
                "edit": permissions.allows_field(call.vault, user, name, field, "edit"),
            }
    entries["application.api.metadata_api"] = {"read": bool(exceptions["metadata_api"])}
    return entries
