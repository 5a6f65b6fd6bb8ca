"""Independent observations of a small world: saved edits, writes of the Vault, replies to devices.

They do not use results of the engine. Triggers record the writes of the Vault, and `StormEnv` the replies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from sync_engine.device.client import Device, read_state
from sync_engine.device.edits import Edit, read_record
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import decode
from sync_engine.simulator.stress import expected_view
from sync_engine.simulator.stress.storm_env import StormEnv
from sync_engine.vault.scope import get_scope
from sync_engine.vault.server import Vault

TRIGGER_SQL = """
CREATE TEMP TABLE vault_write (
    n INTEGER PRIMARY KEY, id TEXT, object TEXT, mobile_id TEXT, deleted INTEGER, territory TEXT, revision
    INTEGER, doc TEXT );
CREATE INDEX temp.vault_write_id ON vault_write (id);
CREATE TEMP TRIGGER watch AFTER INSERT ON main.record BEGIN
    INSERT INTO vault_write (id, object, mobile_id, deleted, territory, revision, doc)
    VALUES (new.id, new.object, new.mobile_id, new.deleted, new.territory, new.revision, new.doc);
END;
INSERT INTO vault_write (id, object, mobile_id, deleted, territory, revision, doc)
SELECT id, object, mobile_id, deleted, territory, revision, doc FROM main.record ORDER BY revision;
"""
USERS = {"d0": "u0", "d1": "u1"}
MARKER_FIELDS = ("phone__v", "next_call_notes__v", "lot__v", "summary__v")
"""Fields in which each edit of a small world writes a unique marker value."""


CHECKED_SAVES = 3
"""Number of a device's last saves to check after each sync."""

Values = dict[tuple[str, str], object]
"""(record id, field) -> value."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant."""

    invariant: str
    reason: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.reason}"


@dataclass(slots=True, kw_only=True)
class SavedEdits:
    """The edits of one save, as one transaction.

    `shown_values` are the values on the device before the save, and `vault_values` the values that Vault had sent.
    """

    device: str
    key: str
    edits: list[Edit]
    shown_values: Values
    vault_values: Values
    number: int  # position among all saves; a corrected edit keeps its number
    undone: bool = False
    excused: bool = False  # undone, cleared, or lost with the device's backup
    resurrected: bool = False  # was undone, cleared or corrected, but a restored backup may still have it
    # The Vault had the edits before a backup was restored, which may still show them as refused.
    arrived_before_restore: bool = False
    is_correction: bool = False  # the same edits were refused under another key before
    corrected_key: str | None = None  # the key of the correction with the same edits


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSnapshot:
    """The comparable state of a device's data at one time."""

    cursor: JsonDict
    rules: JsonDict
    content: tuple[int, int]
    fallbacks: int  # number of data changes from outside the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup of a device."""

    data: bytes
    journal: bytes
    keys: frozenset[str]


@dataclass(slots=True)
class Observations:
    """The data of the checkers, collected while a world runs."""

    seed: int
    violations: list[Violation] = field(default_factory=list)
    saves: dict[str, SavedEdits] = field(default_factory=dict)
    undeleted: Counter[str] = field(default_factory=Counter)
    backups: dict[str, Backup] = field(default_factory=dict)
    fallbacks: Counter[str] = field(default_factory=Counter)
    tampers: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)  # fallbacks that a complete sync has repaired
    replies_before_restore: Counter[str] = field(default_factory=Counter)  # replies before the last restore
    # Syncs before the last restore.
    syncs_before_restore: dict[str, frozenset[str]] = field(default_factory=dict)
    syncs: Counter[str] = field(default_factory=Counter)
    views: dict[tuple[int, int, str, str], expected_view.View] = field(default_factory=dict)

    def add_violation(self, invariant: str, reason: str) -> None:
        """Add a broken invariant."""
        self.violations.append(Violation(invariant, reason))

    def check_refusal(self, device: str, key: str | None, cause: str, source: str | None) -> None:
        """Check that every refusal has a cause."""
        if cause == "unknown":
            self.add_violation("I5", f"a refusal of {device} {key} has no cause")

    def install_triggers(self, vault: Vault) -> None:
        """Install triggers that record every later write of the Vault."""
        vault.db.executescript(TRIGGER_SQL)

    def last_write(self, vault: Vault) -> int:
        """Return the number of the last write."""
        return int(vault.db.execute("SELECT coalesce(max(n), 0) FROM vault_write").fetchone()[0])

    def check_request(self, vault: Vault, request: bytes, reply: bytes, before: int) -> None:
        """Compare the effect of a request with its reply."""
        if b'"verb":"upload"' in request:
            self._after_upload(vault, decode(request), decode(reply), before)
        elif b'"verb":"pull"' in request:
            self._after_pull(vault, decode(request), decode(reply))

    def _after_upload(self, vault: Vault, request: JsonDict, reply: JsonDict, before: int) -> None:
        results = reply.get("results", [])
        changed = self.last_write(vault) > before
        if changed and not any(result["responseStatus"] == "SUCCESS" for result in results):
            self.add_violation("I16", "a refused upload changed the Vault")
        if not changed:
            return
        self._check_rights(vault, request, results)
        visible = ["*", *vault.live["user"][USERS[request["device"]]]["territories"]]
        rows = vault.db.execute(
            "SELECT s.id, (SELECT f.territory FROM vault_write AS f WHERE f.id = s.id AND f.n < s.n "
            "ORDER BY f.n DESC LIMIT 1) FROM vault_write AS s WHERE s.n > ?",
            (before,),
        )
        for record_id, territory in rows:
            if territory is not None and territory not in visible:
                self.add_violation("I16", f"{request['device']} wrote {record_id} of territory {territory}")

    def _check_rights(self, vault: Vault, request: JsonDict, results: list[JsonDict]) -> None:
        rights = vault.live["permission_set"]["rep__c"]
        applied_keys = {
            result["key"]
            for result in results
            if result["responseStatus"] == "SUCCESS" and not result.get("replayed")
        }
        rows = [
            row
            for transaction in request["transactions"]
            if transaction["key"] in applied_keys
            for row in transaction["rows"]
        ]
        for row in rows:
            right = {"create": "create", "update": "edit", "delete": "delete"}[row["operation"]]
            allowed = rights["objects"].get(row["object"], {}).get(right, True)
            fields = rights["fields"].get(row["object"], {})
            if not allowed or any(not fields.get(name, {}).get("edit", True) for name in row["fields"]):
                self.add_violation(
                    "I16", f"{request['device']} was allowed to {right} {row['object']} without the right"
                )

    def _after_pull(self, vault: Vault, request: JsonDict, reply: JsonDict) -> None:
        if not reply.get("put"):
            return
        allowed = self.expected_view(vault, USERS[request["device"]], request["platform"])
        for name, record_id, _, _, text in reply["put"]:
            visible = allowed.get(name, {}).get(record_id)
            if visible is None:
                self.add_violation(
                    "I1b", f"{record_id} of {name} was sent to {request['device']} but is not visible"
                )
            elif expected_view.parse_fields(text) != visible[1]:
                self.add_violation(
                    "I1b", f"{record_id} of {name} was sent with other fields than are visible"
                )

    def expected_view(self, vault: Vault, user: str, platform: str) -> expected_view.View:
        """Return the records that the user should see now. The view is cached per Vault state."""
        state = (vault.version, self.last_write(vault), user, platform)
        if state not in self.views:
            self.views = {state: expected_view.compute_view(vault, user, platform)}
        return self.views[state]

    def read_shown_values(self, device: Device, edits: list[Edit]) -> tuple[Values, Values]:
        """Return the current values of the edited fields: as shown on the device, and as sent by Vault."""
        shown: Values = {}
        sent: Values = {}
        for edit in edits:
            doc = {} if edit.operation == "create" else read_record(device, edit.record_id) or {}
            shown |= {(edit.record_id, name): doc.get(name) for name in edit.fields}
            row = device.data.execute(
                "SELECT doc FROM record WHERE id = ?1 OR mobile_id = ?1", (edit.record_id,)
            ).fetchone()
            doc = expected_view.parse_fields(row[0]) if row else {}
            sent |= {(edit.record_id, name): doc.get(name) for name in edit.fields}
        return shown, sent

    def record_save(self, device: Device, key: str, edits: list[Edit], before: tuple[Values, Values]) -> None:
        """Record a save that the device accepted, and check that its edits are visible immediately."""
        self.saves[key] = SavedEdits(
            device=device.device_id, key=key, edits=edits, shown_values=before[0], vault_values=before[1],
            number=len(self.saves),
        )  # fmt: skip
        for edit in edits:
            doc = read_record(device, edit.record_id)
            if edit.operation == "delete" and doc is not None:
                self.add_violation("I9", f"{edit.record_id} still shows after its delete")
            if edit.operation != "delete" and any((doc or {}).get(k) != v for k, v in edit.fields.items()):
                self.add_violation("I9", f"{edit.record_id} does not show what was just saved")

    def record_undo(self, key: str) -> None:
        """Record that the user has undone a save."""
        if key in self.saves:
            self.saves[key].excused = True
            self.saves[key].undone = True
            self.saves[key].resurrected = False

    def record_correction(self, old: str, new: str) -> None:
        """Record that the user has corrected a refused edit, which has a new key now."""
        if old in self.saves:
            refused = self.saves[old]
            if refused.corrected_key is not None:  # a backup's copy of a save that was already corrected
                self.saves[new] = replace(refused, key=new, undone=False, is_correction=True)
                return
            self.saves[new] = replace(
                refused, key=new, undone=False, excused=False, corrected_key=None, is_correction=True
            )
            refused.excused = True
            refused.corrected_key = new

    def continues(self, saved: SavedEdits) -> bool:
        """Return whether a later correction of the edits exists that was not undone.

        A device restored from a backup may have an earlier, refused version of an edit that was corrected and
        accepted since; undoing that version changes nothing.
        """
        while saved.corrected_key is not None:
            saved = self.saves[saved.corrected_key]
            if not saved.undone:
                return True
        return False

    def take_snapshot(self, device: Device) -> DataSnapshot:
        """Return the current state of the device's data."""
        row = device.data.execute("SELECT count(*), coalesce(sum(tag), 0) FROM record").fetchone()
        return DataSnapshot(
            cursor=read_state(device.data, "cursor", {"epoch": None, "seq": 0}),
            rules=read_state(device.data, "rules", {}),
            content=(row[0], row[1]),
            fallbacks=self.fallbacks[device.device_id],
        )

    def _check_visible_edits(self, vault: Vault, device: Device) -> None:
        """Check that an edit is visible after Save until another change of the record."""
        active_saves = [
            saved
            for saved in self.saves.values()
            if saved.device == device.device_id and (saved.resurrected or not saved.excused)
        ]
        allowed = self.expected_view(vault, device.user_id, device.platform)
        checked_fields: set[tuple[str, str]] = set()
        removed: set[str] = set()
        for saved in sorted(active_saves, key=lambda saved: -saved.number)[:CHECKED_SAVES]:
            for edit in saved.edits:
                record_id = _vault_id(allowed.get(edit.object, {}), edit.record_id)
                if edit.operation == "delete":
                    removed.add(record_id)
                for name in sorted(edit.fields.keys() & set(MARKER_FIELDS)):
                    unchanged_since = record_id not in removed and (record_id, name) not in checked_fields
                    checked_fields.add((record_id, name))
                    visible = allowed.get(edit.object, {}).get(record_id)
                    expected = visible is not None and visible[1].get(name) == edit.fields[name]
                    if unchanged_since and expected and not saved.excused:
                        self._check_visible_edit(vault, device, edit, record_id, name)

    def _check_visible_edit(
        self, vault: Vault, device: Device, edit: Edit, record_id: str, name: str
    ) -> None:
        rule = get_scope(vault, device.user_id, device.platform).rules.get(edit.object)
        if rule is None or read_state(device.data, "rules", {}).get(edit.object) != rule.fingerprint:
            return  # the device does not know yet that its user sees these records
        doc = read_record(device, edit.record_id)
        if doc is None and not _must_have_record(vault, device, record_id, edit.fields[name]):
            return
        if (doc or {}).get(name) != edit.fields[name]:
            self.add_violation(
                "I9", f"{device.device_id} no longer shows {name} of {record_id} as it was saved"
            )

    def check_sync(self, vault: Vault, device: Device, before: DataSnapshot, complete: bool) -> None:
        """Check that the cursor never decreases and that data change only with the cursor.

        `complete` means that the sync downloaded everything.
        """
        self.syncs[device.device_id] += 1
        after = self.take_snapshot(device)
        if after.fallbacks != before.fallbacks:
            return
        repaired = self.repaired[device.device_id] == after.fallbacks
        if after.cursor["epoch"] == before.cursor["epoch"] and after.cursor["seq"] < before.cursor["seq"]:
            self.add_violation(
                "I6", f"the cursor of {device.device_id} went back: {before.cursor} {after.cursor}"
            )
        same_cursor = after.cursor == before.cursor and after.rules == before.rules
        if same_cursor and repaired and after.content != before.content:
            self.add_violation("I10", f"data of {device.device_id} changed without its cursor")
        if complete:
            self.repaired[device.device_id] = after.fallbacks
        if repaired or complete:
            self._check_visible_edits(vault, device)

    def record_tampering(self, device: Device) -> None:
        """Count a change of the data from outside the engine."""
        self.fallbacks[device.device_id] += 1
        self.tampers[device.device_id] += 1

    def record_fallback(self, device: Device) -> None:
        """Count a replacement of the data database by an older one."""
        self.fallbacks[device.device_id] += 1

    def back_up(self, device: Device) -> None:
        """Back up a device."""
        keys = frozenset(key for key, saved in self.saves.items() if saved.device == device.device_id)
        self.backups[device.device_id] = Backup(
            data=device.data.serialize(), journal=device.journal.serialize(), keys=keys
        )

    def record_restore(self, vault: Vault, device: Device, backup: Backup) -> None:
        """Record that a backup was restored: later saves are lost, undone saves may exist again.

        The backup may also show a refusal of edits that the Vault has accepted since; undoing these changes nothing.
        """
        env = device.env
        assert isinstance(env, StormEnv)  # noqa: S101
        self.fallbacks[device.device_id] += 1
        self.replies_before_restore[device.device_id] = len(env.replies)
        self.syncs_before_restore[device.device_id] = frozenset(env.attempts)
        for key, saved in self.saves.items():
            saved.arrived_before_restore |= saved.device == device.device_id and _has_arrived(vault, saved)
            if saved.device == device.device_id and (key not in backup.keys or saved.excused):
                saved.resurrected = saved.excused and key in backup.keys
                saved.excused = True
                saved.undone = False


def _has_arrived(vault: Vault, saved: SavedEdits) -> bool:
    markers = [edit.fields[name] for edit in saved.edits for name in MARKER_FIELDS if name in edit.fields]
    query = "SELECT 1 FROM vault_write WHERE instr(doc, ?) LIMIT 1"
    return any(vault.db.execute(query, (marker,)).fetchone() for marker in markers)


def _vault_id(records: dict[str, tuple[int, JsonDict]], record_id: str) -> str:
    """Return the Vault id of a record, also if `record_id` is a mobile id."""
    if record_id in records:
        return record_id
    return next(
        (vault_id for vault_id, record in records.items() if record[1].get("mobile_id__v") == record_id),
        record_id,
    )


def _must_have_record(vault: Vault, device: Device, record_id: str, marker: object) -> bool:
    """Return whether the device must have the record: it has all changes, or none since that write.

    In between, it may have received that the record left its scope, but not that the record entered it again.
    """
    seq = read_state(device.data, "cursor", {"seq": 0})["seq"]
    row = vault.db.execute(
        "SELECT min(revision) FROM vault_write WHERE id = ? AND instr(doc, ?)", (record_id, marker)
    ).fetchone()
    return bool(row[0] is None or seq < row[0] or seq == vault.sequence())
