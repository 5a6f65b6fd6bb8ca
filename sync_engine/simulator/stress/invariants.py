"""Check invariants after all faults have stopped and all devices have synced.

Each checker is one function. Invariant numbers: I1 scope, I2 content, I3 no lost edit, I4 applied once, I5 one entry
per refusal, I7 tracking, I8 no resurrection, I11 no silent overwrite, I13 parents first, I14 ids, I15 same result of
every kind of download, I17 events, I19 stores, I20 bounds. I1b, I6, I9, I10 and I16 are checked while the world runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sync_engine.device.client import Device
from sync_engine.device.media import read_files
from sync_engine.json_docs import JsonDict, from_json
from sync_engine.protocol import decode
from sync_engine.simulator.stress import expected_view
from sync_engine.simulator.stress.fresh_download import download_on_fresh_device
from sync_engine.simulator.stress.observations import MARKER_FIELDS, Observations, SavedEdits, Violation
from sync_engine.simulator.stress.storm_env import StormEnv
from sync_engine.telemetry import SyncError
from sync_engine.vault.server import Vault


class History:
    """The writes of the Vault in order, and the records with each marker value."""

    def __init__(self, vault: Vault) -> None:
        self.rows: list[tuple[str, str, str | None, bool, JsonDict]] = [
            (row[0], row[1], row[2], bool(row[3]), from_json(row[4]))
            for row in vault.db.execute(
                "SELECT id, object, mobile_id, deleted, doc FROM vault_write ORDER BY n"
            )
        ]
        self.written: dict[str, list[tuple[str, object]]] = {}  # marker -> [(record, value before)]
        last_docs: dict[str, JsonDict] = {}
        for record_id, _, _, _, doc in self.rows:
            previous = last_docs.get(record_id, {})
            for name in MARKER_FIELDS:
                marker = doc.get(name)
                if isinstance(marker, str) and previous.get(name) != marker:
                    self.written.setdefault(marker, []).append((record_id, previous.get(name)))
            last_docs[record_id] = doc
        self.mobile = {row[2]: row[0] for row in self.rows if row[2]}
        self.gone = {row[0] for row in self.rows if row[3]}

    def applied(self, saved: SavedEdits) -> bool:
        """Return whether the Vault applied the edits of a save."""
        for edit in saved.edits:
            marker = next((edit.fields[name] for name in MARKER_FIELDS if name in edit.fields), None)
            if marker is not None:
                return marker in self.written
            return self.mobile.get(edit.record_id, edit.record_id) in self.gone
        return False


def check_at_rest(vault: Vault, devices: list[Device], observations: Observations) -> list[Violation]:
    """Check the invariants of a world in which no sync or fault is active."""
    history = History(vault)
    violations = [
        *_check_resurrection(history, observations),
        *_check_applied_once(history),
        *_check_parents_first(history),
    ]
    for device in devices:
        cleared = {edit["key"] for edit in device.get("lost", [])}
        for key in cleared:
            observations.record_undo(key)
        violations += _check_scope(vault, device)
        violations += _check_edits(history, device, observations)
        violations += _check_overwrites(history, device, observations)
        violations += _check_errors(device, observations)
        violations += _check_tracking(vault, device, observations)
        violations += _check_ids(vault, device)
        violations += _check_stores(device)
        violations += _check_files(vault, device)
    if observations.seed % 5 == 0 and not violations:
        violations += _check_fresh_downloads(vault, devices[0])
    return violations


def _check_scope(vault: Vault, device: Device) -> Iterator[Violation]:
    expected = expected_view.compute_view(vault, device.user_id, device.platform)
    rules = vault.live["permission_set"]["rep__c"]["fields"]
    actual: expected_view.View = {}
    for name, record_id, revision, doc in device.data.execute("SELECT object, id, revision, doc FROM record"):
        actual.setdefault(name, {})[record_id] = (revision, from_json(doc))
    for name in sorted(expected.keys() | actual.keys()):
        if not rules.get(name, {}).get("modified_date__v", {}).get("read", True):
            continue
        device_records, expected_records = actual.get(name, {}), expected.get(name, {})
        if leaked := sorted(device_records.keys() - expected_records.keys()):
            yield Violation("I1", f"{device.device_id} holds {name} outside its scope: {leaked[:3]}")
        if missed := sorted(expected_records.keys() - device_records.keys()):
            yield Violation("I1", f"{device.device_id} lacks {name} of its scope: {missed[:3]}")
        shared_ids = sorted(device_records.keys() & expected_records.keys())
        mismatches = [key for key in shared_ids if device_records[key] != expected_records[key]]
        if mismatches:
            yield Violation("I2", f"{device.device_id} holds other content of {name}: {mismatches[:3]}")


def _check_edits(history: History, device: Device, observations: Observations) -> Iterator[Violation]:
    pending = {row[0] for row in device.journal.execute("SELECT key FROM outbox WHERE acked_seq IS NULL")}
    failed = {row[0] for row in device.journal.execute("SELECT key FROM failure")}
    for key, saved in observations.saves.items():
        if saved.device != device.device_id:
            continue
        undone = saved.undone and saved.edits[0].operation != "delete" and not observations.continues(saved)
        if undone and not saved.arrived_before_restore and history.applied(saved):
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} was undone and applied nevertheless")
        if saved.excused:
            continue
        applied = history.applied(saved)
        if not applied and key not in pending:
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} is lost: {saved.edits[0]}")
        # If the Vault already applied an edit of a restored backup, its correction is refused under the new key.
        applied_and_refused = (
            applied and key in failed and not (saved.arrived_before_restore and saved.is_correction)
        )
        # Only the effect of a delete is visible, and another user may have caused it.
        if applied_and_refused and saved.edits[0].operation != "delete":
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} is both applied and refused")
        if applied and key in pending and key not in failed and not failed:
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} is applied and still waits")


def _check_applied_once(history: History) -> Iterator[Violation]:
    for marker, writes in history.written.items():
        if (
            marker.startswith("w")
            and len({record for record, _ in writes}) > 1
            and not _is_one_save(writes, history)
        ):
            yield Violation("I4", f"the edit that wrote {marker[:12]} was applied to {len(writes)} records")
        if marker.startswith("w") and max(Counter(record for record, _ in writes).values()) > 1:
            yield Violation("I4", f"the edit that wrote {marker[:12]} was applied more than once")


def _is_one_save(writes: list[tuple[str, object]], history: History) -> bool:
    """Return whether one save wrote these records: a call and its sample share a marker value."""
    objects_by_id = {row[0]: row[1] for row in history.rows}
    objects = [objects_by_id[record] for record, _ in writes]
    return len(objects) == len(set(objects))


def _check_resurrection(history: History, observations: Observations) -> Iterator[Violation]:
    deleted_ids: set[str] = set()
    restore_counts: Counter[str] = Counter()
    for record_id, _, _, deleted, _ in history.rows:
        if deleted:
            deleted_ids.add(record_id)
        elif record_id in deleted_ids:
            deleted_ids.discard(record_id)
            restore_counts[record_id] += 1
    for record_id, count in restore_counts.items():
        if count > observations.undeleted[record_id]:
            yield Violation("I8", f"{record_id} came back after it was deleted")
            return


def _check_parents_first(history: History) -> Iterator[Violation]:
    written_ids: set[str] = set()
    for record_id, _, _, _, doc in history.rows:
        for name in ("account__v", "call2__v", "product__v"):
            if name in doc and doc[name] not in written_ids:
                yield Violation("I13", f"{record_id} refers to {doc[name]}, which the Vault does not have")
                return
        written_ids.add(record_id)


def _check_overwrites(history: History, device: Device, observations: Observations) -> Iterator[Violation]:
    device_saves = [saved for saved in observations.saves.values() if saved.device == device.device_id]
    for saved in device_saves:
        for edit in saved.edits:
            for name in MARKER_FIELDS if edit.operation == "update" else ():
                writes = history.written.get(str(edit.fields.get(name)), [])
                if writes and writes[0][1] not in _acceptable_values(
                    history, device_saves, saved, edit.record_id, name
                ):
                    shown = saved.shown_values.get((edit.record_id, name))
                    yield Violation(
                        "I11",
                        f"{device.device_id} overwrote {name} of {writes[0][0]}: {writes[0][1]} not {shown}",
                    )


def _acceptable_values(
    history: History, device_saves: list[SavedEdits], saved: SavedEdits, record_id: str, name: str
) -> tuple[object, ...]:
    """Return the values that may have been visible in the field before the edit.

    Earlier edits that the Vault never applied are skipped.
    """
    shown = saved.shown_values.get((record_id, name))
    vanished: set[object] = set()
    while isinstance(shown, str) and shown.startswith("w") and shown not in {*history.written, *vanished}:
        vanished.add(shown)
        shown = _shown_before(device_saves, shown, name)
    return (shown, saved.vault_values.get((record_id, name))) if vanished else (shown,)


def _shown_before(device_saves: list[SavedEdits], marker: object, name: str) -> object:
    """Return the value that was shown before the save that wrote this marker."""
    for saved in device_saves:
        for edit in saved.edits:
            if edit.fields.get(name) == marker:
                return saved.shown_values.get((edit.record_id, name))
    return None


def _check_errors(device: Device, observations: Observations) -> Iterator[Violation]:
    env = device.env
    assert isinstance(env, StormEnv)  # noqa: S101
    open_entries = {row[0] for row in device.journal.execute("SELECT key FROM failure")}
    last_answers = _last_answers(env.replies)
    answers_since_restore = _last_answers(
        env.replies[observations.replies_before_restore[device.device_id] :]
    )
    events = [(row, subject) for row, subject in env.rows if isinstance(row, SyncError)]
    event_counts = Counter(row.event_id for row, _ in events)
    if duplicates := [event for event, count in event_counts.items() if count > 1]:
        yield Violation("I17", f"event {duplicates[0]} was reported {event_counts[duplicates[0]]} times")
    per_key = Counter(
        (row.sync_id, subject) for row, subject in events if row.sync_id and subject in last_answers
    )
    if repeated_keys := [key for key, count in per_key.items() if count > 1]:
        yield Violation("I5", f"{repeated_keys[0]} has more than one error event in one sync")
    reported_subjects = {subject for _, subject in events}
    if not observations.tampers[device.device_id]:
        mismatches = [row.message for row, _ in events if row.error_type == "LOCAL_DIGEST_MISMATCH"]
        if mismatches:
            yield Violation(
                "I15", f"{device.device_id} needed a repair after ordinary syncs: {mismatches[0]}"
            )
    for key, status in answers_since_restore.items():
        excused = key not in observations.saves or observations.saves[key].excused
        if status == "FAILURE" and key not in reported_subjects:
            yield Violation("I5", f"the refusal of {key[:8]} was never reported")
        if status == "FAILURE" and key not in open_entries and not excused:
            yield Violation("I5", f"the refusal of {key[:8]} has no entry in the Errors tab")
        if status == "SUCCESS" and key in open_entries:
            yield Violation("I5", f"{key[:8]} was accepted and still has an entry in the Errors tab")


def _last_answers(replies: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for request, reply in replies:
        if b'"verb":"upload"' in request:
            for result in decode(reply).get("results", []):
                answers[result["key"]] = result["responseStatus"]
    return answers


def _check_tracking(vault: Vault, device: Device, observations: Observations) -> Iterator[Violation]:
    env = device.env
    assert isinstance(env, StormEnv)  # noqa: S101
    rows: dict[str, Any] = {}
    for mobile_id, text in vault.db.execute(
        "SELECT mobile_id, doc FROM tracking WHERE user = ?", (device.user_id,)
    ):
        rows[mobile_id] = from_json(text)
    # Records of syncs in a journal that a backup has replaced.
    lost = observations.syncs_before_restore.get(device.device_id, frozenset())
    if missing := sorted(set(env.attempts) - set(rows) - lost):
        yield Violation("I7", f"{len(missing)} syncs of {device.device_id} left no tracking record")
    if extra := sorted(set(rows) - set(env.attempts)):
        yield Violation(
            "I7", f"{len(extra)} tracking records of {device.device_id} belong to no tracked sync"
        )
    for mobile_id, attempt in env.attempts.items():
        row = rows.get(mobile_id)
        if row is None or row["sync_completed_datetime__v"] is None:
            continue
        counts = (row["number_of_uploads__v"], row["number_of_upload_errors__v"])
        if counts != (attempt.accepted, attempt.refused):
            yield Violation(
                "I7", f"sync {mobile_id} counts {counts}, not {(attempt.accepted, attempt.refused)}"
            )
        if row["number_of_retries__v"] != attempt.retries:
            yield Violation("I7", f"sync {mobile_id} counts {row['number_of_retries__v']} retries")
        if row["successful_sync__v"] and attempt.last_exchange_failed:
            yield Violation("I7", f"sync {mobile_id} claims success after a failed exchange")


def _check_ids(vault: Vault, device: Device) -> Iterator[Violation]:
    for mobile_id, record_id in device.journal.execute("SELECT mobile_id, id FROM known_id"):
        row = vault.db.execute("SELECT mobile_id FROM record WHERE id = ?", (record_id,)).fetchone()
        if row is None or row[0] != mobile_id:
            yield Violation("I14", f"{device.device_id} knows {mobile_id} as {record_id}, the Vault does not")


def _check_stores(device: Device) -> Iterator[Violation]:
    for name, store in (("data", device.data), ("journal", device.journal)):
        if store.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            yield Violation("I19", f"the {name} database of {device.device_id} is damaged")
        if store.in_transaction:
            yield Violation("I20", f"the {name} database of {device.device_id} has an open transaction")
    staged = device.data.execute("SELECT count(*) FROM stage").fetchone()[0]
    if staged:
        yield Violation("I20", f"{staged} staged rows stay behind on {device.device_id}")
    answered = device.journal.execute("SELECT count(*) FROM outbox WHERE acked_seq IS NOT NULL").fetchone()[0]
    if answered:
        yield Violation("I20", f"{answered} answered edits stay in the outbox of {device.device_id}")


def _check_files(vault: Vault, device: Device) -> Iterator[Violation]:
    """Check that the device has exactly the files in its scope, complete and current."""
    view = expected_view.compute_view(vault, device.user_id, device.platform)
    rows = vault.db.execute(
        "SELECT f.id, f.content, r.object, r.id FROM file AS f JOIN record AS r ON r.id = f.record"
    )
    expected = {
        file_id: bytes(content)
        for file_id, content, name, record_id in rows
        if record_id in view.get(name, {}) and _includes_files(vault, name)
    }
    actual = read_files(device)
    if leaked := sorted(actual.keys() - expected.keys()):
        yield Violation("I1", f"{device.device_id} holds files outside its scope: {leaked[:3]}")
    if missed := sorted(expected.keys() - actual.keys()):
        yield Violation("I1", f"{device.device_id} lacks files of its scope: {missed[:3]}")
    if mismatches := sorted(key for key in actual.keys() & expected.keys() if actual[key] != expected[key]):
        yield Violation("I2", f"{device.device_id} holds other content of files: {mismatches[:3]}")


def _includes_files(vault: Vault, name: str) -> bool:
    definition, rule = vault.live["object"][name], vault.published["vmoc"].get(name, {})
    has_attachments = definition.get("allow_attachments") and rule.get("include_attachments__v")
    return bool(definition.get("media") or has_attachments)


def _check_fresh_downloads(vault: Vault, device: Device) -> Iterator[Violation]:
    """Check that a new device downloads the same data, by pages and by snapshot."""
    content = _content(device)
    for kind in ("incremental", "database_refresh"):
        if download_on_fresh_device(vault, device, kind) != content:
            yield Violation("I15", f"{kind} on a fresh device ends differently from {device.device_id}")


def _content(device: Device) -> list[tuple[str, int, str]]:
    return device.data.execute("SELECT id, revision, doc FROM record ORDER BY id").fetchall()
