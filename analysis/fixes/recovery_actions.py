"""Recovery actions for a device: three flags on the user, and two actions on the device's Errors tab.

An action is offered only if the store shows that its precondition is met. An action that deletes unsent changes
lists each affected record. Unknown pending records are reported, not guessed. Preconditions and effects follow
Veeva's page on handling sync errors; texts
mark what that page does not document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows
from analysis.base.errors import AnalysisError
from analysis.base.text import pluralize
from analysis.fixes.pending_state import PendingState, find_devices, flag_owners, load_keys
from analysis.fixes.playbook import load_playbook

LOST_COLUMNS = ("device_id", "user_id", "object", "record_id", "operation", "edited_at", "parent_record_id")


class _ActionText(TypedDict):
    title: str
    who: str
    where: str
    destructive: bool
    effect: str


_USER_RECORD = "Vault: user record (object user__sys), requires Edit on the field"
_ERRORS_TAB = "on the device: Errors tab, actions of the entry"

_TEXTS: Mapping[str, _ActionText] = {
    "undo": {
        "title": "Undo",
        "who": "user",
        "where": _ERRORS_TAB,
        "destructive": True,
        "effect": "Reverts the change on the device. The next incremental sync reloads the table of the object. "
        "The app refuses it while another upload of the record is pending.",
    },
    "undelete": {
        "title": "Undelete",
        "who": "user",
        "where": _ERRORS_TAB,
        "destructive": False,
        "effect": "Restores the record on the device. The next incremental sync becomes a database refresh.",
    },
    "clear_client_sync_errors__v": {
        "title": "Clear client sync errors",
        "who": "admin",
        "where": _USER_RECORD,
        "destructive": True,
        "effect": "Removes the errors of the most recent sync from the device, with the changes that caused them.",
    },
    "force_full_refresh__v": {
        "title": "Force a full refresh",
        "who": "admin",
        "where": _USER_RECORD,
        "destructive": False,
        "effect": "The device uploads its pending records and downloads its whole database again. "
        "The user cannot work in the meantime.",
    },
    "upload_vtrans__v": {
        "title": "Send sync files to Veeva",
        "who": "admin",
        "where": _USER_RECORD,
        "destructive": False,
        "effect": "The device sends its sync files (VTrans) to Veeva for review. No data changes.",
    },
}

_CAUSE = "SELECT mode(cause), mode(retryable) FROM issue_event WHERE issue_id = ?"
# Records that the issue blocks and that Vault refused again a day or more after the first refusal.
_REPEATEDLY_REFUSED = """
SELECT e.device_id, e.record_id
FROM error AS e
JOIN pending_blocker AS b ON b.device_id = e.device_id AND b.record_id = e.record_id
WHERE e.issue_id = $issue_id AND b.refusal_issue_id = $issue_id
GROUP BY e.device_id, e.record_id
HAVING max(e.occurred_at) - min(e.occurred_at) >= INTERVAL 1 DAY
"""
_RETRY_MAY_SUCCEED = "The same upload may succeed on retry; waiting and syncing again loses nothing."
_ONLY_REPEATEDLY_REFUSED = (
    "Only for records that have been refused for a day or longer, where syncing again has not helped."
)
_REFRESH_DOES_NOT_FIX = "A refresh does not fix this cause; follow the steps of the playbook."


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryAction:
    """One action for a device, in addition to fixing the cause.

    `reason` is why it is offered or not. `devices` are those that meet its precondition. `lost_records` has
    one row (LOST_COLUMNS) for each record whose unsent change the action deletes. It is empty for an action
    that deletes nothing or is not offered.
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
        """Convert to plain values that JSON can hold, times as ISO text."""
        scalars = {
            name: getattr(self, name) for name in self.__slots__ if name not in ("devices", "lost_records")
        }
        return scalars | {"devices": list(self.devices), "lost_records": to_plain_rows(self.lost_records)}

    def withhold(self, reason: str) -> RecoveryAction:
        """Return the same action, not offered."""
        return replace(self, offered=False, reason=reason, devices=(), lost_records=self.lost_records.head(0))


def recovery_actions(
    connection: DuckDBPyConnection,
    device_id: str | None = None,
    user_id: str | None = None,
    *,
    issue_id: str | None = None,
) -> list[RecoveryAction]:
    """List the recovery actions for one device, one user, or all devices of one issue.

    Actions that delete nothing come first. A flag is set on a user, and Veeva does not document what it does if
    the user has several devices, so its losses are counted over all of them. Undo and Undelete are counted on
    the requested device. For an issue, Undo and Undelete only count its own records. If its uploads may succeed
    on retry, Undo and clearing are only offered for records that have been refused for a day or longer. A
    refresh is only offered if the playbook includes it.

    Raises `AnalysisError` unless exactly one of device, user and issue is passed.
    """
    if sum(value is not None for value in (device_id, user_id, issue_id)) != 1:
        raise AnalysisError(
            "recovery actions need one device, one user or one issue",
            next_step="Pass exactly one of device_id, user_id and issue_id.",
        )
    scope = find_devices(connection, device_id, user_id, issue_id)
    requested = PendingState.load(connection, scope.requested, issue_id)
    is_all = set(scope.requested) == set(scope.of_same_users)
    of_users = requested if is_all else PendingState.load(connection, scope.of_same_users, issue_id)
    harmless = [_send_sync_files(of_users), _undelete(requested), _force_refresh(of_users, device_id)]
    destructive = [_undo(requested), _clear_errors(of_users)]
    if issue_id is None:
        return harmless + destructive
    cause, retryable = connection.execute(_CAUSE, [issue_id]).fetchone() or (None, None)
    if retryable in ("yes", "often"):
        refused = load_keys(connection, _REPEATEDLY_REFUSED, issue_id)
        destructive = [_undo(requested.limited_to(refused)), _clear_errors(of_users.limited_to(refused))]
        destructive = [
            _explain_limit(action) if refused else action.withhold(_RETRY_MAY_SUCCEED)
            for action in destructive
        ]
    if not load_playbook(cause or "unknown").facts.full_refresh:
        harmless[-1] = harmless[-1].withhold(_REFRESH_DOES_NOT_FIX)
    return harmless + destructive


def _explain_limit(action: RecoveryAction) -> RecoveryAction:
    return replace(action, reason=f"{action.reason} {_ONLY_REPEATEDLY_REFUSED}") if action.offered else action


def _undo(state: PendingState) -> RecoveryAction:
    records = state.revertible("update")
    blocked = int((state.considered["operation"] == "update").sum()) - len(records)
    reason = f"{pluralize(len(records), 'refused update')} can be reverted."
    if records.empty:
        reason = "" if blocked or state.is_unknown else "No refused update of an existing record is pending."
    if blocked:
        verb = "has" if blocked == 1 else "have"
        reason += f" {pluralize(blocked, 'record')} {verb} another pending upload, so Undo is not allowed."
    return _build_action("undo", state, records, reason, lost=state.with_children(records))


def _undelete(state: PendingState) -> RecoveryAction:
    records = state.revertible("delete")
    reason = f"{pluralize(len(records), 'refused delete')} can be reverted."
    if records.empty:
        reason = "" if state.is_unknown else "No refused delete is pending."
    return _build_action("undelete", state, records, reason)


def _clear_errors(state: PendingState) -> RecoveryAction:
    by_the_user = {*state.revertible("update").index, *state.revertible("delete").index}
    stuck = state.considered[~state.considered.index.isin(by_the_user)]
    lost = state.in_error[flag_owners(state.in_error).isin(flag_owners(stuck))]
    if state.considered.empty:
        reason = "" if state.is_unknown else "No record is in error."
    elif stuck.empty:
        records = pluralize(len(state.considered), "record")
        reason = f"Not needed: Undo or Undelete can free {records} in error."
    else:
        reason = (
            f"Undo and Undelete cannot free {pluralize(len(stuck), 'record')} in error. Clearing permanently deletes "
            f"{pluralize(len(lost), 'unsent change')}: ask Veeva Support first."
        )
    return _build_action("clear_client_sync_errors__v", state, stuck, reason, lost=lost)


def _force_refresh(state: PendingState, device_id: str | None = None) -> RecoveryAction:
    """Offer a refresh on devices that can send first. For one device, no other device of its user counts."""
    blocked, unreported = set(state.in_error["device_id"]), set(state.unreported)
    unable = blocked | state.unable_to_send
    ready = [device for device in state.devices if device not in unable and device not in unreported]
    if device_id in unable:
        ready = []
    reason = ""
    if ready:
        reason = (
            f"No record is in error on {pluralize(len(ready), 'device')}; "
            "pending records there are uploaded first."
        )
    elif blocked:
        verb = "is" if len(state.in_error) == 1 else "are"
        reason = (
            f"{pluralize(len(state.in_error), 'record')} {verb} in error on {pluralize(len(blocked), 'device')}. "
            "A refresh does not run while errors exist (Salesforce-era help). Resolve the errors first."
        )
    elif unable := state.unable_to_send.intersection(state.devices):
        reason = (
            f"{pluralize(len(unable), 'device')} cannot upload now: all syncs or the uploads are refused. "
            "A refresh cannot send pending records first. Fix the cause first."
        )
    return _build_action("force_full_refresh__v", state, ready, reason)


def _send_sync_files(state: PendingState) -> RecoveryAction:
    failures = state.failures
    nouns = "error or failed sync" if failures == 1 else "errors and failed syncs"
    return RecoveryAction(
        name="upload_vtrans__v",
        offered=failures > 0,
        reason=f"{failures:,} {nouns} to investigate."
        if failures
        else "No error or failed sync of these devices is loaded.",
        devices=tuple(state.devices) if failures else (),
        **_TEXTS["upload_vtrans__v"],
    )


def _build_action(
    name: str,
    state: PendingState,
    matches: pd.DataFrame | list[str],
    reason: str,
    *,
    lost: pd.DataFrame | None = None,
) -> RecoveryAction:
    """Build an action that is offered if there are `matches`: records, or device ids."""
    offered = len(matches) > 0
    devices = matches if isinstance(matches, list) else sorted(set(matches["device_id"]))
    lost_records = state.pending.head(0) if lost is None or not offered else lost
    return RecoveryAction(
        name=name,
        offered=offered,
        reason=" ".join(part for part in (reason.strip(), state.unknown_note()) if part),
        devices=tuple(devices),
        lost_records=lost_records[list(LOST_COLUMNS)].reset_index(drop=True),
        **_TEXTS[name],
    )
