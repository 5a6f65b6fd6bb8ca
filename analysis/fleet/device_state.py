"""Describe how a device is now, as far as the loaded data show."""

from __future__ import annotations

from typing import Any

from analysis.base.text import pluralize
from analysis.fleet.devices import Device

_FAILED = {
    "failed": "its last sync failed",
    "failed_upload": "its last sync failed in upload",
    "failed_download": "its last sync failed in download",
    "unfinished": "its last sync did not finish",
}


def describe_state(device: Device) -> str:
    """Return the problem of a device, or what is unknown; "no current problem" only if its last sync shows it.

    Without syncs, or with errors after the last successful sync, it is not known whether the device works now.
    """
    summary = device.summary
    status = summary["status"]
    problems = [] if status in ("ok", "unknown") else [f"{status}: {summary['why']}"]
    if "unknown" in summary["problems"]:
        problems = [f"{status}: {_known_reasons(summary)}"] if problems else []
        note = (
            pluralize(int(summary["errors_since_success"]), "error") + "; "
            if summary["errors_since_success"]
            else ""
        )
        return "; ".join(
            [*problems, f"{note}whether it works now is unknown, because no syncs of it are loaded"]
        )
    last_outcome = str(summary["last_outcome"])
    if last_outcome in _FAILED and not problems:
        problems.append(_FAILED[last_outcome])
    if since := int(summary["errors_since_success"]):
        problems.append(f"{pluralize(since, 'error')} since its last successful sync")
    return "; ".join(problems) or "no current problem"


def _known_reasons(summary: dict[str, Any]) -> str:
    """Return the reasons of a device without the one that states what is unknown."""
    return "; ".join(str(summary["why"]).split("; ")[: len(summary["problems"]) - 1])
