"""Describe how a device is now, as far as the loaded data show."""

from __future__ import annotations

import pandas as pd

from analysis.base.text import pluralize
from analysis.fleet.devices import Device

_GOOD = ("succeeded", "succeeded_with_upload_errors")
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
    has_problem = summary["status"] not in ("ok", "unknown")
    problems = [f"{summary['status']}: {summary['why']}"] if has_problem else []
    syncs = device.timeline[device.timeline["kind"] == "sync"]
    errors = device.timeline[device.timeline["kind"] == "error"]
    if not summary["syncs"]:
        note = f"{pluralize(int(summary['errors']), 'error')}; " if summary["errors"] else ""
        return "; ".join(
            [*problems, f"{note}whether it works now is unknown, because no syncs of it are loaded"]
        )
    last_outcome = str(syncs.iloc[0]["how"]) if len(syncs) else ""
    if last_outcome in _FAILED and not problems:
        problems.append(_FAILED[last_outcome])
    last_success = summary["last_success"]
    since = errors if pd.isna(last_success) else errors[errors["happened_at"] > pd.Timestamp(last_success)]
    if len(since):
        problems.append(f"{pluralize(len(since), 'error')} since its last successful sync")
    elif last_outcome == "succeeded_with_upload_errors":
        problems.append("Vault refused records in its last sync")
    return "; ".join(problems) or "no current problem"
