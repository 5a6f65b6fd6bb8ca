"""Push alerts that a device announces."""

from __future__ import annotations

from sync_engine.device.client import Device, read_state
from sync_engine.json_docs import from_json
from sync_engine.vault.alerts import PUSH_OBJECTS


def list_announced_alerts(device: Device) -> list[str]:
    """Return the names of the alerts that the device announces, ordered by id.

    Documented: no notification arrives unless each object of PUSH_OBJECTS has an active VMOC. The rules of
    the last download show which objects the device has.
    """
    rules = read_state(device.data, "rules", {})
    if any(name not in rules for name in PUSH_OBJECTS):
        return []
    rows = device.data.execute("SELECT doc FROM record WHERE object = 'alert__v' ORDER BY id")
    return [from_json(row[0])["name__v"] for row in rows]
