"""Invariants at rest, after every fault has stopped and every device has synced. Each checker is one function.

Invariant numbers: I1 scope, I2 content, I3 no lost edit, I4 applied
once, I5 one entry per refusal, I7 tracking, I8 no resurrection, I11 no silent overwrite, I13 parents first,
I14 ids, I15 every way down ends alike, I17 events, I19 stores, I20 bounds. I1b, I6, I9, I10 and I16 are
watched while the world runs.
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
    """Every write of the Vault in its order, and where each edit's own word first appeared."""

    def __init__(self, vault: Vault) -> None:
        self.rows: list[tuple[str, str, str | None, bool, JsonDict]] = [
            (row[0], row[1], row[2], bool(row[3]), from_json(row[4]))
            for row in vault.db.execute("SELECT id, object, mobile_id, deleted, doc FROM seen ORDER BY n")
        ]
        self.written: dict[str, list[tuple[str, object]]] = {}  # word -> [(record, value before)]
        last: dict[str, JsonDict] = {}
        for record_id, _, _, _, doc in self.rows:
            former = last.get(record_id, {})
            for name in MARKER_FIELDS:
                word = doc.get(name)
                if isinstance(word, str) and former.get(name) != word:
                    self.written.setdefault(word, []).append((record_id, former.get(name)))
            last[record_id] = doc
        self.mobile = {row[2]: row[0] for row in self.rows if row[2]}
        self.gone = {row[0] for row in self.rows if row[3]}

    def applied(self, saved: SavedEdits) -> bool:
        """Whether the Vault applied the edits of this press of Save."""
        for edit in saved.edits:
            word = next((edit.fields[name] for name in MARKER_FIELDS if name in edit.fields), None)
            if word is not None:
                return word in self.written
            return self.mobile.get(edit.record_id, edit.record_id) in self.gone
        return False


def check_at_rest(vault: Vault, devices: list[Device], account: Observations) -> list[Violation]:
    """Everything that must hold when nothing is in motion any more."""
    history = History(vault)
    violations = [
        *_check_resurrection(history, account),
        *_check_applied_once(history),
        *_check_parents_first(history),
    ]
    for device in devices:
        cleared = {one["key"] for one in device.get("lost", [])}
        for key in cleared:
            account.record_undo(key)
        violations += _check_scope(vault, device)
        violations += _check_edits(history, device, account)
        violations += _check_overwrites(history, device, account)
        violations += _check_errors(device, account)
        violations += _check_tracking(vault, device, account)
        violations += _check_ids(vault, device)
        violations += _check_stores(device)
        violations += _check_files(vault, device)
    if account.seed % 5 == 0 and not violations:
        violations += _check_fresh_downloads(vault, devices[0])
    return violations


def _check_scope(vault: Vault, device: Device) -> Iterator[Violation]:
    expected = expected_view.compute_view(vault, device.user_id, device.platform)
    rules = vault.live["permission_set"]["rep__c"]["fields"]
    held: expected_view.View = {}
    for name, record_id, revision, doc in device.data.execute("SELECT object, id, revision, doc FROM record"):
        held.setdefault(name, {})[record_id] = (revision, from_json(doc))
    for name in sorted(expected.keys() | held.keys()):
        if not rules.get(name, {}).get("modified_date__v", {}).get("read", True):
            continue
        ours, theirs = held.get(name, {}), expected.get(name, {})
        if leaked := sorted(ours.keys() - theirs.keys()):
            yield Violation("I1", f"{device.device_id} holds {name} outside its scope: {leaked[:3]}")
        if missed := sorted(theirs.keys() - ours.keys()):
            yield Violation("I1", f"{device.device_id} lacks {name} of its scope: {missed[:3]}")
        wrong = [one for one in sorted(ours.keys() & theirs.keys()) if ours[one] != theirs[one]]
        if wrong:
            yield Violation("I2", f"{device.device_id} holds other content of {name}: {wrong[:3]}")


def _check_edits(history: History, device: Device, account: Observations) -> Iterator[Violation]:
    waiting = {row[0] for row in device.journal.execute("SELECT key FROM outbox WHERE acked_seq IS NULL")}
    failed = {row[0] for row in device.journal.execute("SELECT key FROM failure")}
    for key, saved in account.saves.items():
        if saved.device != device.device_id:
            continue
        undone = saved.undone and saved.edits[0].operation != "delete" and not account.continues(saved)
        if undone and not saved.arrived_before_restore and history.applied(saved):
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} was undone and applied nevertheless")
        if saved.excused:
            continue
        applied = history.applied(saved)
        if not applied and key not in waiting:
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} is lost: {saved.edits[0]}")
        # A correction on a restored backup of an edit that the Vault already had is refused under the new key.
        applied_and_refused = (
            applied and key in failed and not (saved.arrived_before_restore and saved.is_correction)
        )
        # Only the effect of a delete is visible, and another user may have caused it.
        if applied_and_refused and saved.edits[0].operation != "delete":
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} is both applied and refused")
        if applied and key in waiting and key not in failed and not failed:
            yield Violation("I3", f"edit {key[:8]} of {device.device_id} is applied and still waits")


def _check_applied_once(history: History) -> Iterator[Violation]:
    for word, places in history.written.items():
        if (
            word.startswith("w")
            and len({record for record, _ in places}) > 1
            and not _is_one_save(places, history)
        ):
            yield Violation("I4", f"the edit that wrote {word[:12]} was applied to {len(places)} records")
        if word.startswith("w") and max(Counter(record for record, _ in places).values()) > 1:
            yield Violation("I4", f"the edit that wrote {word[:12]} was applied more than once")


def _is_one_save(places: list[tuple[str, object]], history: History) -> bool:
    """A call and its sample carry one word between them."""
    kinds = {row[0]: row[1] for row in history.rows}
    objects = [kinds[record] for record, _ in places]
    return len(objects) == len(set(objects))


def _check_resurrection(history: History, account: Observations) -> Iterator[Violation]:
    gone: set[str] = set()
    back: Counter[str] = Counter()
    for record_id, _, _, deleted, _ in history.rows:
        if deleted:
            gone.add(record_id)
        elif record_id in gone:
            gone.discard(record_id)
            back[record_id] += 1
    for record_id, times in back.items():
        if times > account.undeleted[record_id]:
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


def _check_overwrites(history: History, device: Device, account: Observations) -> Iterator[Violation]:
    mine = [one for one in account.saves.values() if one.device == device.device_id]
    for saved in mine:
        for edit in saved.edits:
            for name in MARKER_FIELDS if edit.operation == "update" else ():
                places = history.written.get(str(edit.fields.get(name)), [])
                if places and places[0][1] not in _acceptable_values(
                    history, mine, saved, edit.record_id, name
                ):
                    shown = saved.shown_values.get((edit.record_id, name))
                    yield Violation(
                        "I11",
                        f"{device.device_id} overwrote {name} of {places[0][0]}: {places[0][1]} not {shown}",
                    )


def _acceptable_values(
    history: History, mine: list[SavedEdits], saved: SavedEdits, record_id: str, name: str
) -> tuple[object, ...]:
    """Return the values that the user may have seen in the field, below edits that never took effect."""
    shown = saved.shown_values.get((record_id, name))
    vanished: set[object] = set()
    while isinstance(shown, str) and shown.startswith("w") and shown not in {*history.written, *vanished}:
        vanished.add(shown)
        shown = _shown_before(mine, shown, name)
    return (shown, saved.vault_values.get((record_id, name))) if vanished else (shown,)


def _shown_before(mine: list[SavedEdits], word: object, name: str) -> object:
    """What was shown when this word was saved."""
    for saved in mine:
        for edit in saved.edits:
            if edit.fields.get(name) == word:
                return saved.shown_values.get((edit.record_id, name))
    return None


def _check_errors(device: Device, account: Observations) -> Iterator[Violation]:
    env = device.env
    assert isinstance(env, StormEnv)  # noqa: S101
    open_entries = {row[0] for row in device.journal.execute("SELECT key FROM failure")}
    last = _last_answers(env.replies)
    since = _last_answers(env.replies[account.replies_before_restore[device.device_id] :])
    events = [(row, subject) for row, subject in env.rows if isinstance(row, SyncError)]
    named = Counter(row.event_id for row, _ in events)
    if twice := [event for event, count in named.items() if count > 1]:
        yield Violation("I17", f"event {twice[0]} was reported {named[twice[0]]} times")
    per_key = Counter((row.sync_id, subject) for row, subject in events if row.sync_id and subject in last)
    if more := [key for key, count in per_key.items() if count > 1]:
        yield Violation("I5", f"{more[0]} has more than one error event in one sync")
    reported_subjects = {subject for _, subject in events}
    if not account.tampers[device.device_id]:
        mismatches = [row.message for row, _ in events if row.error_type == "LOCAL_DIGEST_MISMATCH"]
        if mismatches:
            yield Violation(
                "I15", f"{device.device_id} needed a repair after ordinary syncs: {mismatches[0]}"
            )
    for key, status in since.items():
        excused = key not in account.saves or account.saves[key].excused
        if status == "FAILURE" and key not in reported_subjects:
            yield Violation("I5", f"the refusal of {key[:8]} was never reported")
        if status == "FAILURE" and key not in open_entries and not excused:
            yield Violation("I5", f"the refusal of {key[:8]} has no entry in the Errors tab")
        if status == "SUCCESS" and key in open_entries:
            yield Violation("I5", f"{key[:8]} was accepted and still has an entry in the Errors tab")


def _last_answers(replies: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    last: dict[str, str] = {}
    for request, reply in replies:
        if b'"verb":"upload"' in request:
            for result in decode(reply).get("results", []):
                last[result["key"]] = result["responseStatus"]
    return last


def _check_tracking(vault: Vault, device: Device, account: Observations) -> Iterator[Violation]:
    env = device.env
    assert isinstance(env, StormEnv)  # noqa: S101
    rows: dict[str, Any] = {}
    for mobile_id, text in vault.db.execute(
        "SELECT mobile_id, doc FROM tracking WHERE user = ?", (device.user_id,)
    ):
        rows[mobile_id] = from_json(text)
    lost = account.syncs_before_restore.get(
        device.device_id, frozenset()
    )  # with the journal that a backup has replaced
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
        counted = (row["number_of_uploads__v"], row["number_of_upload_errors__v"])
        if counted != (attempt.accepted, attempt.refused):
            yield Violation(
                "I7", f"sync {mobile_id} counts {counted}, not {(attempt.accepted, attempt.refused)}"
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
    left = device.journal.execute("SELECT count(*) FROM outbox WHERE acked_seq IS NOT NULL").fetchone()[0]
    if left:
        yield Violation("I20", f"{left} answered edits stay in the outbox of {device.device_id}")


def _check_files(vault: Vault, device: Device) -> Iterator[Violation]:
    """The files of exactly the records that the user sees, where these bring files, each whole and as it is now."""
    seen = expected_view.compute_view(vault, device.user_id, device.platform)
    rows = vault.db.execute(
        "SELECT f.id, f.content, r.object, r.id FROM file AS f JOIN record AS r ON r.id = f.record"
    )
    expected = {
        file_id: bytes(content)
        for file_id, content, name, record_id in rows
        if record_id in seen.get(name, {}) and _includes_files(vault, name)
    }
    held = read_files(device)
    if leaked := sorted(held.keys() - expected.keys()):
        yield Violation("I1", f"{device.device_id} holds files outside its scope: {leaked[:3]}")
    if missed := sorted(expected.keys() - held.keys()):
        yield Violation("I1", f"{device.device_id} lacks files of its scope: {missed[:3]}")
    if wrong := sorted(one for one in held.keys() & expected.keys() if held[one] != expected[one]):
        yield Violation("I2", f"{device.device_id} holds other content of files: {wrong[:3]}")


def _includes_files(vault: Vault, name: str) -> bool:
    definition, rule = vault.live["object"][name], vault.published["vmoc"].get(name, {})
    attached = definition.get("allow_attachments") and rule.get("include_attachments__v")
    return bool(definition.get("media") or attached)


def _check_fresh_downloads(vault: Vault, device: Device) -> Iterator[Violation]:
    """A fresh device, by pages and by snapshot, must end like the one that lived through it all."""
    held = _content(device)
    for kind in ("incremental", "database_refresh"):
        if download_on_fresh_device(vault, device, kind) != held:
            yield Violation("I15", f"{kind} on a fresh device ends differently from {device.device_id}")


def _content(device: Device) -> list[tuple[str, int, str]]:
    return device.data.execute("SELECT id, revision, doc FROM record ORDER BY id").fetchall()
