"""Download pages, stage them, and apply them all at once together with the cursor."""

from __future__ import annotations

from sync_engine.device.client import Device, read_state, write_state
from sync_engine.device.request import send_request
from sync_engine.device.sync_run import SyncRun, enter_phase, report_error
from sync_engine.device_schema import DATA_INDEXES, DATA_TABLES
from sync_engine.hashing import revision_hash
from sync_engine.json_docs import JsonDict

SWAP_THRESHOLD = 1000
"""Number of staged records above which tables are swapped instead of copied."""
INITIAL_CURSOR: JsonDict = {"epoch": None, "seq": 0}
FULL_DOWNLOAD_OBJECTS = "wanted_whole"
"""Journal key of the objects that the next download must fetch in full."""


async def download_changes(device: Device, run: SyncRun, epoch: str) -> JsonDict:
    """Download and stage all changes. Returns the final reply for `apply_staged`; nothing is visible yet."""
    enter_phase(device, run, "download")
    progress = _resume_progress(device, epoch)
    while True:
        reply = await send_request(device, run, {"verb": "pull", **progress})
        device.env.fault_point("download.page")
        if "reset" in reply:
            progress = _restart_progress(device, {"epoch": epoch, "seq": 0}, {})
        elif "restart" in reply:
            progress = _restart_with_full_objects(device, progress, reply)
        elif reply["rules"] != progress["names"]:
            start = read_state(device.data, "cursor", INITIAL_CURSOR) | {"epoch": epoch}
            progress = _restart_progress(device, start, progress["rules"]) | {"names": reply["rules"]}
        else:
            progress = _stage_page(device, progress, reply)
            if reply["done"]:
                return reply | {"whole": progress["whole"], "epoch": epoch}


def _resume_progress(device: Device, epoch: str) -> JsonDict:
    for name in device.get(FULL_DOWNLOAD_OBJECTS, []):
        reset_object(device, name)
    device.put(FULL_DOWNLOAD_OBJECTS, [])
    cursor = read_state(device.data, "cursor", INITIAL_CURSOR)
    progress = read_state(device.data, "progress")
    if progress and progress["cursor"]["epoch"] == epoch:
        return progress  # type: ignore[no-any-return]
    rules = read_state(device.data, "rules", {})
    if cursor["epoch"] != epoch:
        cursor, rules = {"epoch": epoch, "seq": 0}, {}
    return _restart_progress(device, cursor, rules)


def _restart_progress(device: Device, cursor: JsonDict, rules: JsonDict) -> JsonDict:
    progress: JsonDict = {"cursor": cursor, "rules": rules, "names": rules, "whole": [], "whole_after": None}
    device.data.execute("BEGIN")
    device.data.execute("DELETE FROM stage")
    device.data.execute("DELETE FROM gone")
    write_state(device.data, "progress", progress)
    device.data.execute("COMMIT")
    return progress


def _restart_with_full_objects(device: Device, progress: JsonDict, reply: JsonDict) -> JsonDict:
    """Restart with the objects that must be sent in full. If all are, earlier changes are skipped."""
    cursor = read_state(device.data, "cursor", INITIAL_CURSOR)
    if cursor["epoch"] != progress["cursor"]["epoch"]:
        cursor = {"epoch": progress["cursor"]["epoch"], "seq": 0}
    _restart_progress(device, cursor, progress["rules"])
    if len(reply["restart"]) == len(reply["rules"]):
        cursor = cursor | {"seq": reply["seq"]}
    return progress | {
        "cursor": cursor,
        "names": reply["rules"],
        "whole": reply["restart"],
        "whole_after": None,
    }


def _stage_page(device: Device, progress: JsonDict, reply: JsonDict) -> JsonDict:
    progress = progress | {"whole_after": reply["whole_after"] if progress["whole"] else None}
    if reply["seq"] is not None:
        progress = progress | {"cursor": progress["cursor"] | {"seq": reply["seq"]}}
        if progress["whole"]:
            progress["whole_after"] = "end"
    data = device.data
    data.execute("BEGIN")
    data.executemany(
        "INSERT OR REPLACE INTO stage (object, id, revision, mobile_id, doc, tag) VALUES (?, ?, ?, ?, ?, ?)",
        ((*row, revision_hash(row[1], row[2])) for row in reply["put"]),
    )
    data.execute("DELETE FROM gone WHERE EXISTS (SELECT 1 FROM stage WHERE stage.id = gone.id)")
    data.executemany("DELETE FROM stage WHERE id = ?", ((row[1],) for row in reply["remove"]))
    data.executemany("INSERT OR REPLACE INTO gone (object, id, reason) VALUES (?, ?, ?)", reply["remove"])
    write_state(data, "progress", progress)
    data.execute("COMMIT")
    return progress


def apply_staged(device: Device, run: SyncRun, final: JsonDict) -> list[str]:
    """Apply the staged pages in one commit. Returns objects whose digest differs from the Vault's."""
    enter_phase(device, run, "apply")
    data = device.data
    data.execute("BEGIN")
    try:
        _count_changes(device, run)
        _replace_records(device, final)
        data.execute("DELETE FROM gone")
        data.execute("DELETE FROM state WHERE name = 'progress'")
        write_state(data, "cursor", {"epoch": final["epoch"], "seq": final["seq"]})
        write_state(data, "rules", final["rules"])
        device.env.fault_point("apply.commit")
    except BaseException:
        data.execute("ROLLBACK")
        raise
    data.execute("COMMIT")
    delete_answered_edits(device, final["seq"])
    return mismatched_objects(device, final["digest"])


def _count_changes(device: Device, run: SyncRun) -> None:
    (staged,) = device.data.execute("SELECT count(*) FROM stage").fetchone()
    (deleted,) = device.data.execute("SELECT count(*) FROM gone WHERE reason = 'deleted'").fetchone()
    run.records_downloaded += staged
    run.records_deleted += deleted


def _replace_records(device: Device, final: JsonDict) -> None:
    data = device.data
    kept_objects = set(final["rules"]) - set(final["whole"])
    former_rules = read_state(data, "rules", {})
    if (
        not kept_objects
        and data.execute("SELECT 1 FROM stage LIMIT 1 OFFSET ?", (SWAP_THRESHOLD,)).fetchone()
    ):
        _swap_tables(device)
        return
    removed_objects = sorted(former_rules.keys() - kept_objects)
    data.executemany("DELETE FROM record WHERE object = ?", [(name,) for name in removed_objects])
    device.env.fault_point("apply.middle")
    data.execute("DELETE FROM record WHERE id IN (SELECT id FROM gone)")
    data.execute(
        "INSERT OR REPLACE INTO record (object, id, revision, mobile_id, doc, tag) "
        "SELECT object, id, revision, mobile_id, doc, tag FROM stage"
    )
    data.execute("DELETE FROM stage")


def _swap_tables(device: Device) -> None:
    """Replace the record table with the stage table, which is faster than copying all rows."""
    device.data.execute("DROP TABLE record")
    device.env.fault_point("apply.middle")
    device.data.execute("ALTER TABLE stage RENAME TO record")
    for statement in (*DATA_TABLES, *DATA_INDEXES):
        device.data.execute(statement)


def delete_answered_edits(device: Device, seq: int) -> None:
    """Delete answered edits that the download has passed; the downloaded records include them."""
    device.journal.execute("DELETE FROM outbox WHERE acked_seq <= ?", (seq,))


def mismatched_objects(device: Device, digest: JsonDict) -> list[str]:
    """Return the objects whose records on the device differ from the Vault's digest."""
    rows = device.data.execute("SELECT object, count(*), sum(tag) FROM record GROUP BY object")
    local_digest = {name: [count, total] for name, count, total in rows}
    return [name for name, expected in digest.items() if local_digest.get(name, [0, 0]) != expected]


def request_full_download(device: Device, name: str) -> None:
    """Request a full download of an object next time; a running download continues unchanged."""
    device.put(FULL_DOWNLOAD_OBJECTS, sorted({*device.get(FULL_DOWNLOAD_OBJECTS, []), name}))


def reset_object(device: Device, name: str) -> None:
    """Force a full download of an object and discard staged rows. Call only between downloads."""
    rules = read_state(device.data, "rules", {})
    device.data.execute("BEGIN")
    write_state(device.data, "rules", rules | {name: ""})
    device.data.execute("DELETE FROM stage")
    device.data.execute("DELETE FROM gone")
    device.data.execute("DELETE FROM state WHERE name = 'progress'")
    device.data.execute("COMMIT")


def report_configuration_errors(device: Device, run: SyncRun, reply: JsonDict) -> bool:
    """Report invalid VMOCs and objects whose changes cannot be determined. True if there are any."""
    for name, kind, message in reply["broken"]:
        subject = f"sync-configuration|vmoc/{name}"
        error = {"type": kind, "message": message}
        report_error(device, run, error, subject=subject, operation="query", object_name=name)
    for name in reply["unreadable"]:
        message = (
            f"User [{device.user_id}] does not have Read permission on field [modified_date__v] of [{name}]"
        )
        error = {"type": "INSUFFICIENT_ACCESS", "message": message, "field": "modified_date__v"}
        report_error(
            device,
            run,
            error,
            subject=f"field-permission|unreadable/{name}",
            operation="query",
            object_name=name,
        )
    return bool(reply["broken"] or reply["unreadable"])
