"""Fetch pages, stage them, and make them visible all at once, together with the cursor."""

from __future__ import annotations

from sync_engine.device.client import Device, read_state, write_state
from sync_engine.device.request import ask
from sync_engine.device.schema import DATA_INDEXES, DATA_TABLES
from sync_engine.device.sync_run import Run, enter, report_error
from sync_engine.hashing import tag
from sync_engine.json_docs import JsonDict

MANY = 1000
"""From so many records on, tables are exchanged and not copied."""
NOWHERE: JsonDict = {"epoch": None, "seq": 0}
WANTED_WHOLE = "wanted_whole"
"""Under this name the journal keeps the objects that the next download has to bring whole."""


async def fetch(device: Device, run: Run, epoch: str) -> JsonDict:
    """Stage everything that is new. Returns what `apply` needs; nothing is visible yet."""
    enter(device, run, "download")
    progress = _resume(device, epoch)
    while True:
        reply = await ask(device, run, {"verb": "pull", **progress})
        device.env.point("download.page")
        if "reset" in reply:
            progress = _start_over(device, {"epoch": epoch, "seq": 0}, {})
        elif "restart" in reply:
            progress = _restart(device, progress, reply)
        elif reply["rules"] != progress["names"]:
            start = read_state(device.data, "cursor", NOWHERE) | {"epoch": epoch}
            progress = _start_over(device, start, progress["rules"]) | {"names": reply["rules"]}
        else:
            progress = _stage(device, progress, reply)
            if reply["done"]:
                return reply | {"whole": progress["whole"], "epoch": epoch}


def _resume(device: Device, epoch: str) -> JsonDict:
    for name in device.get(WANTED_WHOLE, []):
        forget_object(device, name)
    device.put(WANTED_WHOLE, [])
    cursor = read_state(device.data, "cursor", NOWHERE)
    known = read_state(device.data, "progress")
    if known and known["cursor"]["epoch"] == epoch:
        return known  # type: ignore[no-any-return]
    rules = read_state(device.data, "rules", {})
    if cursor["epoch"] != epoch:
        cursor, rules = {"epoch": epoch, "seq": 0}, {}
    return _start_over(device, cursor, rules)


def _start_over(device: Device, cursor: JsonDict, rules: JsonDict) -> JsonDict:
    progress: JsonDict = {"cursor": cursor, "rules": rules, "names": rules, "whole": [], "whole_after": None}
    device.data.execute("BEGIN")
    device.data.execute("DELETE FROM stage")
    device.data.execute("DELETE FROM gone")
    write_state(device.data, "progress", progress)
    device.data.execute("COMMIT")
    return progress


def _restart(device: Device, progress: JsonDict, reply: JsonDict) -> JsonDict:
    """Some objects have to come whole. If all do, changes before now need not come a second time."""
    cursor = read_state(device.data, "cursor", NOWHERE)
    if cursor["epoch"] != progress["cursor"]["epoch"]:
        cursor = {"epoch": progress["cursor"]["epoch"], "seq": 0}
    _start_over(device, cursor, progress["rules"])
    if len(reply["restart"]) == len(reply["rules"]):
        cursor = cursor | {"seq": reply["seq"]}
    return progress | {
        "cursor": cursor,
        "names": reply["rules"],
        "whole": reply["restart"],
        "whole_after": None,
    }


def _stage(device: Device, progress: JsonDict, reply: JsonDict) -> JsonDict:
    progress = progress | {"whole_after": reply["whole_after"] if progress["whole"] else None}
    if reply["seq"] is not None:
        progress = progress | {"cursor": progress["cursor"] | {"seq": reply["seq"]}}
        if progress["whole"]:
            progress["whole_after"] = "end"
    data = device.data
    data.execute("BEGIN")
    data.executemany(
        "INSERT OR REPLACE INTO stage (object, id, revision, mobile_id, doc, tag) VALUES (?, ?, ?, ?, ?, ?)",
        ((*row, tag(row[1], row[2])) for row in reply["put"]),
    )
    data.execute("DELETE FROM gone WHERE EXISTS (SELECT 1 FROM stage WHERE stage.id = gone.id)")
    data.executemany("DELETE FROM stage WHERE id = ?", ((row[1],) for row in reply["remove"]))
    data.executemany("INSERT OR REPLACE INTO gone (object, id, reason) VALUES (?, ?, ?)", reply["remove"])
    write_state(data, "progress", progress)
    data.execute("COMMIT")
    return progress


def apply(device: Device, run: Run, final: JsonDict) -> list[str]:
    """Make the staged pages visible. Returns objects whose digest differs from the Vault's."""
    enter(device, run, "apply")
    data = device.data
    data.execute("BEGIN")
    try:
        _count(device, run)
        _put_in_place(device, final)
        data.execute("DELETE FROM gone")
        data.execute("DELETE FROM state WHERE name = 'progress'")
        write_state(data, "cursor", {"epoch": final["epoch"], "seq": final["seq"]})
        write_state(data, "rules", final["rules"])
        device.env.point("apply.commit")
    except BaseException:
        data.execute("ROLLBACK")
        raise
    data.execute("COMMIT")
    drop_answered(device, final["seq"])
    return differing(device, final["digest"])


def _count(device: Device, run: Run) -> None:
    (staged,) = device.data.execute("SELECT count(*) FROM stage").fetchone()
    (deleted,) = device.data.execute("SELECT count(*) FROM gone WHERE reason = 'deleted'").fetchone()
    run.downloaded += staged
    run.deleted += deleted


def _put_in_place(device: Device, final: JsonDict) -> None:
    data = device.data
    kept = set(final["rules"]) - set(final["whole"])
    former = read_state(data, "rules", {})
    if not kept and data.execute("SELECT 1 FROM stage LIMIT 1 OFFSET ?", (MANY,)).fetchone():
        _swap(device)
        return
    leaving = sorted(former.keys() - kept)
    data.executemany("DELETE FROM record WHERE object = ?", [(name,) for name in leaving])
    device.env.point("apply.middle")
    data.execute("DELETE FROM record WHERE id IN (SELECT id FROM gone)")
    data.execute(
        "INSERT OR REPLACE INTO record (object, id, revision, mobile_id, doc, tag) "
        "SELECT object, id, revision, mobile_id, doc, tag FROM stage"
    )
    data.execute("DELETE FROM stage")


def _swap(device: Device) -> None:
    """Nothing of the old content stays: let what has come take its place instead of copying it."""
    device.data.execute("DROP TABLE record")
    device.env.point("apply.middle")
    device.data.execute("ALTER TABLE stage RENAME TO record")
    for statement in (*DATA_TABLES, *DATA_INDEXES):
        device.data.execute(statement)


def drop_answered(device: Device, seq: int) -> None:
    """The download has passed these answers: what Vault sent now shows them by itself."""
    device.journal.execute("DELETE FROM outbox WHERE acked_seq <= ?", (seq,))


def differing(device: Device, digest: JsonDict) -> list[str]:
    """Objects of which the device holds something else than the Vault says it should."""
    rows = device.data.execute("SELECT object, count(*), sum(tag) FROM record GROUP BY object")
    held = {name: [count, total] for name, count, total in rows}
    return [name for name, wanted in digest.items() if held.get(name, [0, 0]) != wanted]


def want_whole(device: Device, name: str) -> None:
    """Make the next download bring this object whole; one that is under way goes on undisturbed."""
    device.put(WANTED_WHOLE, sorted({*device.get(WANTED_WHOLE, []), name}))


def forget_object(device: Device, name: str) -> None:
    """Make the device ask for this object anew, and drop what is staged: only between downloads."""
    rules = read_state(device.data, "rules", {})
    device.data.execute("BEGIN")
    write_state(device.data, "rules", rules | {name: ""})
    device.data.execute("DELETE FROM stage")
    device.data.execute("DELETE FROM gone")
    device.data.execute("DELETE FROM state WHERE name = 'progress'")
    device.data.execute("COMMIT")


def report_configuration(device: Device, run: Run, reply: JsonDict) -> bool:
    """Report VMOCs that the Vault cannot serve and objects whose changes cannot be told. True if there are
    any.
    """
    for name, kind, message in reply["broken"]:
        about = f"sync-configuration|vmoc/{name}"
        error = {"type": kind, "message": message}
        report_error(device, run, error, about=about, operation="query", object_name=name)
    for name in reply["unreadable"]:
        message = (
            f"User [{device.user_id}] does not have Read permission on field [modified_date__v] of [{name}]"
        )
        error = {"type": "INSUFFICIENT_ACCESS", "message": message, "field": "modified_date__v"}
        report_error(
            device,
            run,
            error,
            about=f"field-permission|unreadable/{name}",
            operation="query",
            object_name=name,
        )
    return bool(reply["broken"] or reply["unreadable"])
