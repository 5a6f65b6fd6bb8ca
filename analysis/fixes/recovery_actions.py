"""The levers: three flags on the user that an admin sets, and two actions on the device's Errors tab.

A lever is offered only when the store shows that its precondition holds, and a lever that loses something
lists every record that it would lose. What the store does not know is said, never guessed. Preconditions and
effects are those of Veeva's page on handling sync errors; where it is silent the text says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows
from analysis.base.errors import AnalysisError
from analysis.fixes.playbook import load_playbook
from analysis.issues.listing import HELD_BY, PENDING_NOW
from analysis.query.filters import Filters
from analysis.query.runner import run_query

LOST_COLUMNS = ("device_id", "user_id", "object", "record_id", "operation", "edited_at", "parent_record_id")


class _Words(TypedDict):
    title: str
    who: str
    where: str
    destructive: bool
    effect: str


_FLAG = "Vault: the user's record (object user__sys), needs Edit on the field"
_TAB = "on the device: Errors tab, the entry's actions"

_WORDS: Mapping[str, _Words] = {
    "undo": {
        "title": "Undo",
        "who": "user",
        "where": _TAB,
        "destructive": True,
        "effect": "Takes back the change; the next incremental sync loads that object's whole table again. "
        "The app refuses it while another upload of the record is pending.",
    },
    "undelete": {
        "title": "Undelete",
        "who": "user",
        "where": _TAB,
        "destructive": False,
        "effect": "Brings the record back; the next incremental sync becomes a database refresh.",
    },
    "clear_client_sync_errors__v": {
        "title": "Clear client sync errors",
        "who": "admin",
        "where": _FLAG,
        "destructive": True,
        "effect": "Clears the errors of the most recent sync from the device, with the changes behind them.",
    },
    "force_full_refresh__v": {
        "title": "Force a full refresh",
        "who": "admin",
        "where": _FLAG,
        "destructive": False,
        "effect": "The device sends what waits and loads its whole database again; it blocks the user.",
    },
    "upload_vtrans__v": {
        "title": "Send sync files to Veeva",
        "who": "admin",
        "where": _FLAG,
        "destructive": False,
        "effect": "The device sends its sync files (VTrans) to Veeva for review; no data change.",
    },
}

_DEVICES = """
WITH seen AS (
    SELECT device_id, user_id FROM pending_record
    UNION SELECT device_id, user_id FROM current_device
    UNION SELECT device_id, user_id FROM sync_error
    UNION SELECT device_id, user_id FROM sync_detail
)
SELECT DISTINCT device_id, user_id FROM seen
WHERE device_id IS NOT NULL AND (list_contains($devices, device_id) OR list_contains($users, user_id))
ORDER BY ALL
"""
_WAITING = f"""
WITH {PENDING_NOW}
SELECT device_id, user_id, object, record_id, operation, edited_at, parent_record_id,
    coalesce(in_error, false) AS in_error
FROM pending_now
WHERE list_contains($devices, device_id)
ORDER BY edited_at, device_id, object, record_id
"""
_TOLD = """
SELECT DISTINCT device_id FROM pending_record WHERE list_contains($devices, device_id)
UNION
SELECT DISTINCT device_id FROM detailed_sync WHERE pending_uploads = 0 AND list_contains($devices, device_id)
"""
_CAUSE = "SELECT mode(cause), mode(retryable) FROM error WHERE issue_id = ?"
_RECORDS = f"WITH {HELD_BY} SELECT device_id, record_id FROM held_by WHERE issue_id = $issue_id"
# Records that the issue holds and has refused again a day or more after it first did.
_IN_VAIN = f"""
WITH {HELD_BY}
SELECT device_id, record_id
FROM error
JOIN held_by AS h USING (device_id, record_id)
WHERE error.issue_id = $issue_id AND h.issue_id = $issue_id
GROUP BY device_id, record_id
HAVING max(occurred_at) - min(occurred_at) >= INTERVAL 1 DAY
"""
_TROUBLE = """
SELECT (SELECT count(*) FROM sync_error WHERE list_contains($devices, device_id))
     + (SELECT count(*) FROM detailed_sync WHERE list_contains($devices, device_id) AND outcome LIKE 'failed%')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryAction:
    """One thing that can be done to a device beside mending the cause.

    `reason` says why it is offered, or why not. `devices` are those on which the precondition holds. `loses`
    has one row (LOST_COLUMNS) for each record whose change on the device would be gone; empty for a lever
    that loses nothing or that is not offered.
    """

    name: str
    title: str
    who: str
    where: str
    offered: bool
    reason: str
    effect: str
    destructive: bool
    devices: tuple[str, ...] = ()
    lost_records: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(LOST_COLUMNS)))

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values, times as ISO text."""
        own = {
            name: getattr(self, name) for name in self.__slots__ if name not in ("devices", "lost_records")
        }
        return own | {"devices": list(self.devices), "lost_records": to_plain_rows(self.lost_records)}


def recovery_actions(
    connection: DuckDBPyConnection,
    device_id: str | None = None,
    user_id: str | None = None,
    *,
    issue_id: str | None = None,
) -> list[RecoveryAction]:
    """Say which levers can be pulled for one device, one user, or everybody whom one issue hits.

    A flag is set on a user and Veeva does not document what it does when the user has several devices: losses
    are counted over all of them. Undo and Undelete are counted on the device asked for. Levers without loss
    come first. For an issue, Undo and Undelete are about its own records. Where its uploads may succeed by
    themselves, Undo and clearing are offered for no others than those that have been refused for a day or
    longer. A refresh is offered only where the playbook speaks of it.

    Raises `AnalysisError` unless exactly one of the three is given.
    """
    if sum(given is not None for given in (device_id, user_id, issue_id)) != 1:
        raise AnalysisError(
            "levers are asked for one device, one user or one issue",
            next_step="Give exactly one of device_id, user_id and issue_id.",
        )
    scope = _scope(connection, device_id, user_id, issue_id)
    here = _Situation.read(connection, scope.chosen, issue_id)
    alone = set(scope.chosen) == set(scope.all)
    everywhere = here if alone else _Situation.read(connection, scope.all, issue_id)
    harmless = [_vtrans(everywhere), _undelete(here), _refresh(everywhere)]
    harmful = [_undo(here), _clear(everywhere)]
    if issue_id is None:
        return harmless + harmful
    cause, retryable = connection.execute(_CAUSE, [issue_id]).fetchone() or (None, None)
    if retryable in ("yes", "often"):
        vain = _keys_of(connection, _IN_VAIN, issue_id)
        harmful = [_undo(here.about(vain)), _clear(everywhere.about(vain))]
        harmful = [_once_tried(lever) if vain else _hold(lever, _MAY_SUCCEED) for lever in harmful]
    if "force_full_refresh__v" not in load_playbook(cause or "unknown").fix:
        harmless[-1] = _hold(harmless[-1], "A refresh does not mend this cause; see its steps.")
    return harmless + harmful


_MAY_SUCCEED = "The same upload may succeed by itself; waiting and syncing again loses nothing."
_IN_VAIN_WORDS = "Only for what has been refused for a day or longer: there, syncing again has not helped."


def _once_tried(lever: RecoveryAction) -> RecoveryAction:
    return replace(lever, reason=f"{lever.reason} {_IN_VAIN_WORDS}") if lever.offered else lever


def _hold(lever: RecoveryAction, why: str) -> RecoveryAction:
    return replace(lever, offered=False, reason=why, devices=(), lost_records=lever.lost_records.head(0))


@dataclass(frozen=True, slots=True)
class _Scope:
    chosen: list[str]  # devices asked for
    all: list[str]  # and the other devices of their users


def _scope(
    connection: DuckDBPyConnection, device_id: str | None, user_id: str | None, issue_id: str | None
) -> _Scope:
    devices, users = [device_id] if device_id else [], [user_id] if user_id else []
    if issue_id is not None:
        found = connection.execute(
            "SELECT DISTINCT device_id FROM error WHERE issue_id = ? AND device_id IS NOT NULL ORDER BY 1",
            [issue_id],
        ).fetchall()
        devices = [row[0] for row in found]
    pairs = connection.execute(_DEVICES, {"devices": devices, "users": users}).fetchall()
    owners = sorted({user for device, user in pairs if user and (users or device in devices)} | set(users))
    every = connection.execute(_DEVICES, {"devices": devices, "users": owners}).fetchall()
    chosen = devices or sorted({device for device, _ in pairs})
    return _Scope(chosen, sorted({device for device, _ in every} | set(chosen)))


def _keys_of(connection: DuckDBPyConnection, query: str, issue_id: str) -> set[tuple[str, str]]:
    found = run_query(connection, query, Filters.of(), {"issue_id": issue_id})
    return set(zip(found["device_id"], found["record_id"], strict=True))


@dataclass(frozen=True, slots=True)
class _Situation:
    """What is known to wait on some devices."""

    devices: list[str]
    waiting: pd.DataFrame  # LOST_COLUMNS and in_error
    silent: list[str]  # devices that never said what waits
    troubles: int  # errors and failed syncs
    subject: set[tuple[str, str]] | None  # devices and records that the question is about; None for all

    @classmethod
    def read(cls, connection: DuckDBPyConnection, devices: Sequence[str], issue_id: str | None) -> _Situation:
        bound = {"devices": list(devices)}
        waiting = run_query(connection, _WAITING, Filters.of(), bound)
        told = {row[0] for row in connection.execute(_TOLD, bound).fetchall()}
        (troubles,) = connection.execute(_TROUBLE, bound).fetchone() or (0,)
        subject = None if issue_id is None else _keys_of(connection, _RECORDS, issue_id)
        return cls(list(devices), waiting, [d for d in devices if d not in told], troubles, subject)

    def about(self, records: set[tuple[str, str]]) -> _Situation:
        """The same situation, with a question about these records only."""
        return replace(self, subject=records)

    @property
    def failing(self) -> pd.DataFrame:
        return self.waiting[self.waiting["in_error"].astype(bool)]

    @property
    def asked(self) -> pd.DataFrame:
        """The failing records that the question is about."""
        if self.subject is None:
            return self.failing
        of_it = [key in self.subject for key in self._keys(self.failing)]
        return self.failing[pd.Series(of_it, self.failing.index, dtype=bool)]

    def free(self, operation: str) -> pd.DataFrame:
        """Failing records of one operation that have no other upload pending; Undo and Undelete need that."""
        also_waits = set(self._keys(self.waiting[~self.waiting["in_error"].astype(bool)]))
        found = self.asked[self.asked["operation"] == operation]
        alone = [key not in also_waits for key in self._keys(found)]
        return found[pd.Series(alone, found.index, dtype=bool)]

    def with_children(self, records: pd.DataFrame) -> pd.DataFrame:
        """Add the failing records below these: a call and its children are one transaction."""
        parents = set(self._keys(records))
        below = [
            pair in parents
            for pair in zip(self.failing["device_id"], self.failing["parent_record_id"], strict=True)
        ]
        return self.failing[
            self.failing.index.isin(records.index) | pd.Series(below, self.failing.index, dtype=bool)
        ]

    def unknown(self) -> str:
        """Say of whom the store knows nothing; empty when it knows of all."""
        if not self.devices:
            return "The store knows no device here, so what waits is unknown."
        if self.silent and len(self.silent) == len(self.devices):
            where = "this device" if len(self.devices) == 1 else f"these {len(self.devices)} devices"
            return f"The store has no word on what waits on {where}."
        some = _count(len(self.silent), "other device")
        return f"Of {some} the store does not know what waits." if self.silent else ""

    @staticmethod
    def owners(records: pd.DataFrame) -> pd.Series[Any]:
        """Name whom a flag for these records is set on; the device where the user is not known."""
        return records["user_id"].fillna(records["device_id"])

    @staticmethod
    def _keys(frame: pd.DataFrame) -> list[tuple[str, str]]:
        return list(zip(frame["device_id"], frame["record_id"], strict=True))


def _undo(at: _Situation) -> RecoveryAction:
    found = at.free("update")
    blocked = int((at.asked["operation"] == "update").sum()) - len(found)
    reason = f"{_count(len(found), 'refused update')} can be taken back."
    if found.empty:
        reason = "" if blocked else "No refused update of an existing record waits."
    if blocked:
        reason += f" For {_count(blocked, 'record')} another upload is pending, which Undo does not allow."
    return _lever("undo", at, found, reason, at.with_children(found))


def _undelete(at: _Situation) -> RecoveryAction:
    found = at.free("delete")
    reason = f"{_count(len(found), 'refused delete')} can be taken back."
    return _lever("undelete", at, found, reason if len(found) else "No refused delete waits.")


def _clear(at: _Situation) -> RecoveryAction:
    by_the_user = {*at.free("update").index, *at.free("delete").index}
    stuck = at.asked[~at.asked.index.isin(by_the_user)]
    lost = at.failing[at.owners(at.failing).isin(at.owners(stuck))]
    if at.asked.empty:
        reason = "No record in error waits."
    elif stuck.empty:
        reason = f"Not needed: Undo or Undelete can free all {_count(len(at.asked), 'record')} in error."
    else:
        reason = (
            f"{_count(len(stuck), 'record')} in error can be freed neither by Undo nor by Undelete. "
            f"Clearing loses {_count(len(lost), 'unsent change')} for good: ask Veeva Support first."
        )
    return _lever("clear_client_sync_errors__v", at, stuck, reason, lost)


def _refresh(at: _Situation) -> RecoveryAction:
    failing, silent = set(at.failing["device_id"]), set(at.silent)
    ready = [device for device in at.devices if device not in failing and device not in silent]
    reason = ""
    if ready:
        reason = f"No record is in error on {_count(len(ready), 'device')}; what waits there is sent first."
    elif failing:
        reason = (
            f"{_count(len(at.failing), 'record')} in error on {_count(len(failing), 'device')}: a refresh "
            "does not run while errors exist (Salesforce-era help). Clear them up first."
        )
    return _lever("force_full_refresh__v", at, ready, reason)


def _vtrans(at: _Situation) -> RecoveryAction:
    reason = f"{_count(at.troubles, 'error or failed sync', 'errors and failed syncs')} to look into."
    return RecoveryAction(
        name="upload_vtrans__v",
        offered=at.troubles > 0,
        reason=reason if at.troubles else "There is no error or failed sync to look into.",
        devices=tuple(at.devices) if at.troubles else (),
        **_WORDS["upload_vtrans__v"],
    )


def _lever(
    name: str,
    at: _Situation,
    found: pd.DataFrame | list[str],
    reason: str,
    loses: pd.DataFrame | None = None,
) -> RecoveryAction:
    offered = len(found) > 0
    devices = found if isinstance(found, list) else sorted(set(found["device_id"]))
    lost = at.waiting.head(0) if loses is None or not offered else loses
    return RecoveryAction(
        name=name,
        offered=offered,
        reason=" ".join(part for part in (reason.strip(), at.unknown()) if part),
        devices=tuple(devices),
        lost_records=lost[list(LOST_COLUMNS)].reset_index(drop=True),
        **_WORDS[name],
    )


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
