"""Which VMOCs hold for a user on a platform, and in which order of precedence.

Documented: one active VMOC per object and device is needed; an application profile overrides a security
profile. That both override a VMOC without profile is our assumption (docs/engine-assumptions.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sync_engine.json_docs import JsonDict

VmocType = Literal["full_object__v", "top_level__v", "related_to_top_level__v", "child_and_parent_row__v"]
DEVICE_NAMES = {"iPad": "ipad__v", "iPhone": "iphone__v", "Windows": "windows__v"}


def vmoc(
    object_name: str,
    type: VmocType = "top_level__v",
    *,
    where: str = "",
    parent: str | None = None,
    devices: Iterable[str] = ("ipad__v", "iphone__v", "windows__v"),
    **more: object,
) -> JsonDict:
    """A VMOC as Vault keeps it. `parent` is the object that a related or child row hangs on."""
    return {
        "object_name__v": object_name,
        "type__v": type,
        "where_clause__v": where,
        "parent_object__v": parent,
        "device__v": list(devices),
        "application_profile__v": None,
        "security_profile__v": None,
        "active__v": True,
        "enable_enhanced_sync__v": False,
        "include_related_objects__v": False,
        "include_attachments__v": False,
        "meta_data_only__v": False,
    } | more


def default_vmocs() -> dict[str, JsonDict]:
    """The VMOCs of a new Vault, one per object, by name."""
    related = {
        "address__v": "account__v",
        "tsf__v": "account__v",
        "call2__v": "account__v",
        "call2_detail__v": "call2__v",
        "call2_sample__v": "call2__v",
        "order__v": "account__v",
        "medical_insight__v": "account__v",
    }
    vmocs = {"product__v": vmoc("product__v", "full_object__v"), "account__v": vmoc("account__v")}
    vmocs["veeva_settings__v"] = vmoc("veeva_settings__v", "full_object__v", enable_enhanced_sync__v=True)
    return vmocs | {
        name: vmoc(name, "related_to_top_level__v", parent=parent) for name, parent in related.items()
    }


def effective_vmocs(
    vmocs: Iterable[tuple[str, JsonDict]], user: JsonDict, platform: str
) -> dict[str, JsonDict]:
    """The one VMOC per object that holds for this user on this platform; ties go to the first name."""
    device = DEVICE_NAMES.get(platform, platform)
    ranked = [
        (rank, name, one)
        for name, one in vmocs
        if one["active__v"] and device in one["device__v"] and (rank := _rank(one, user)) is not None
    ]
    vmocs_by_object: dict[str, JsonDict] = {}
    for _, _, one in sorted(ranked, key=lambda entry: entry[:2]):
        vmocs_by_object.setdefault(one["object_name__v"], one)
    return vmocs_by_object


def _rank(one: JsonDict, user: JsonDict) -> int | None:
    application, security = one["application_profile__v"], one["security_profile__v"]
    if application is not None:
        return 0 if application == user["application_profile"] else None
    if security is not None:
        return 1 if security == user["security_profile"] else None
    return 2


def with_related_objects(vmocs: dict[str, JsonDict], objects: dict[str, JsonDict]) -> dict[str, JsonDict]:
    """Add what *Include Related Objects* adds: each related object without its own VMOC, as a top level.

    The parent's WHERE clause does not apply to it, as documented. The related objects of the user's layout
    are here those whose parent is the object.
    """
    added = {
        name: vmoc(name, "top_level__v")
        for parent, one in vmocs.items()
        if one["include_related_objects__v"]
        for name, definition in objects.items()
        if definition["parent"] == parent and name not in vmocs
    }
    return vmocs | added
