"""Selection of the VMOCs that apply to a user on a platform.

Documented: one active VMOC per object and device is required; an application profile overrides a security
profile. Assumption: both override a VMOC without a profile (docs/engine-assumptions.md).
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
    **attributes: object,
) -> JsonDict:
    """Build a VMOC as Vault stores it. `parent` is the parent object of a related or child row."""
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
    } | attributes


def default_vmocs() -> dict[str, JsonDict]:
    """Return the VMOCs of a new Vault by name, one per object."""
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
    """Return the VMOC of each object for a user and platform.

    Of several VMOCs with equal precedence, the first by name applies.
    """
    device = DEVICE_NAMES.get(platform, platform)
    ranked = [
        (rank, name, doc)
        for name, doc in vmocs
        if doc["active__v"] and device in doc["device__v"] and (rank := _rank(doc, user)) is not None
    ]
    vmocs_by_object: dict[str, JsonDict] = {}
    for _, _, doc in sorted(ranked, key=lambda entry: entry[:2]):
        vmocs_by_object.setdefault(doc["object_name__v"], doc)
    return vmocs_by_object


def _rank(doc: JsonDict, user: JsonDict) -> int | None:
    application, security = doc["application_profile__v"], doc["security_profile__v"]
    if application is not None:
        return 0 if application == user["application_profile"] else None
    if security is not None:
        return 1 if security == user["security_profile"] else None
    return 2


def with_related_objects(vmocs: dict[str, JsonDict], objects: dict[str, JsonDict]) -> dict[str, JsonDict]:
    """Add a top-level VMOC for each related object that *Include Related Objects* includes.

    Only related objects without their own VMOC are added. As documented, the parent's WHERE clause does not
    apply to them. In this model, the related objects of an object are those whose parent it is.
    """
    added = {
        name: vmoc(name, "top_level__v")
        for parent, doc in vmocs.items()
        if doc["include_related_objects__v"]
        for name, definition in objects.items()
        if definition["parent"] == parent and name not in vmocs
    }
    return vmocs | added
