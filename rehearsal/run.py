"""Rehearse an issue: try each candidate on a fresh sandbox and count the outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

import ingest
from analysis.base.text import pluralize
from analysis.fixes.recovery_actions import RecoveryAction
from rehearsal.issue_case import IssueCase, RecordKey, read_issue_case
from rehearsal.recipes import app, devices, limits, records, values
from rehearsal.recipes.recipe import Recipe
from rehearsal.result import Candidate, RehearsalResult
from rehearsal.sandbox import ASSUMED_CALL, Sandbox
from sync_engine.device import errors_tab

MAX_DEVICES = 100
_REHEARSED_ACTIONS = ("undo", "undelete", "clear_client_sync_errors__v", "force_full_refresh__v")
"""Recovery actions that change a device. Sending sync files to Veeva changes nothing to count."""


RECIPES: Mapping[str, Callable[[IssueCase], Recipe]] = {
    **devices.RECIPES,
    **app.RECIPES,
    **records.RECIPES,
    **values.RECIPES,
    **limits.RECIPES,
}
"""Recipe of each cause."""
NOT_REHEARSED: Mapping[str, str] = {
    "unknown": "An unknown cause cannot be reproduced. Find the cause first: `synclens unknown` lists errors without "
    "a rule, and the issue's page can correct the cause.",
    "local-database-damaged": "Unsent changes survive or not depending on which part of the database is damaged, and "
    "no report contains that. Follow the playbook: save unsent changes with Veeva Support before a refresh or a "
    "reinstallation.",
}
"""Causes that are not rehearsed, each with the reason."""


def rehearse(
    store: DuckDBPyConnection | Path | str, issue_id: str, *, seed: int = 0, max_devices: int = MAX_DEVICES
) -> RehearsalResult:
    """Try each fix and recovery action of an issue in the reference engine.

    `store` is an open connection or a path. The same seed returns the same result. At most `max_devices` devices
    are rebuilt. Raises UnknownIssue if nothing belongs to `issue_id`, and the errors of `ingest.open_store`.
    """
    if not isinstance(store, DuckDBPyConnection):
        with ingest.open_store(store) as connection:
            return rehearse(connection, issue_id, seed=seed, max_devices=max_devices)
    case = read_issue_case(store, issue_id, seed=seed, max_devices=max_devices)
    recipe = _find_recipe(case)
    if isinstance(recipe, str):
        return _result_without_candidates(case, seed, recipe)
    recipe = replace(recipe, fixes=(*recipe.fixes, *app.rollback_fixes(case)))
    with _rebuild(case, recipe, seed) as sandbox:
        baseline = _measure_baseline(sandbox, recipe)
    if not baseline.issue_records:
        reason = f"The engine does not reproduce the cause {case.cause} with the data in the store."
        return _result_without_candidates(case, seed, reason)
    actions = [action for action in case.recovery_actions if action.name in _REHEARSED_ACTIONS]
    candidates = [_try_fix(case, recipe, baseline, seed, index) for index in range(len(recipe.fixes))]
    candidates += [
        _try_recovery_action(case, recipe, baseline, seed, action) for action in actions if action.offered
    ]
    return RehearsalResult(
        issue_id=issue_id, cause=case.cause, seed=seed, total=len(baseline.issue_records), unit=recipe.unit,
        assumptions=(recipe.assumption, *case.assumptions, *baseline.assumptions),
        candidates=tuple(sorted(candidates, key=lambda candidate: (-candidate.freed, candidate.lost))),
        not_offered=tuple((action.title, action.reason) for action in actions if not action.offered),
    )  # fmt: skip


def _find_recipe(case: IssueCase) -> Recipe | str:
    """Return the recipe for the case, or the reason why it cannot be reproduced."""
    if not case.devices:
        return "No error of this issue names a user or a device, so there is no device to rebuild."
    if case.failure_kind is not None or case.cause not in RECIPES:
        return _reason_without_recipe(case)
    recipe = RECIPES[case.cause](case)
    if recipe.unit == "records" and not case.issue_records:
        if case.cause == "field-permission" and case.field == "modified_date__v":
            return devices.unreadable_field(case)
        return "No error of this issue names a record, so there is nothing to rebuild."
    return recipe.skip_reason(case) or recipe


def _reason_without_recipe(case: IssueCase) -> str:
    if case.failure_kind is not None:
        return (
            "These failed syncs have no error text, so their cause is unknown and cannot be reproduced. "
            f"`synclens issue {case.issue_id}` lists which data to get next."
        )
    missing_recipe = f"The reference engine has no recipe for the cause {case.cause}."
    return NOT_REHEARSED.get(case.cause, missing_recipe)


def _result_without_candidates(case: IssueCase, seed: int, reason: str) -> RehearsalResult:
    return RehearsalResult(
        issue_id=case.issue_id, cause=case.cause, seed=seed, total=0, unit="records",
        assumptions=case.assumptions, candidates=(), reason=reason,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Baseline:
    """The failures in the sandbox before any fix: the issue's records, and all records in error."""

    issue_records: tuple[RecordKey, ...]  # the record id is empty if devices are counted
    failing: frozenset[RecordKey]
    assumptions: tuple[str, ...]


def _rebuild(case: IssueCase, recipe: Recipe, seed: int) -> Sandbox:
    """Build the sandbox: sync once, save the pending records, inject the fault, sync again."""
    sandbox = Sandbox(case, seed, recipe.shape_fields)
    recipe.prepare(sandbox)
    sandbox.sync()
    sandbox.save_pending_records()
    if recipe.unit == "devices":
        for name in _devices_with_assumed_call(case, recipe):
            sandbox.save_assumed_call(name, recipe.call_fields)
    sandbox.block_other_deletes()
    recipe.inject_fault(sandbox)
    sandbox.sync()
    return sandbox


def _devices_with_assumed_call(case: IssueCase, recipe: Recipe) -> list[str]:
    """Return the devices that get an assumed unsent call: those without pending records, or all."""
    with_records = (
        set() if recipe.call_fields else {row.device for group in case.save_groups for row in group.records}
    )
    return [name for name in case.devices if name not in with_records]


def _measure_baseline(sandbox: Sandbox, recipe: Recipe) -> _Baseline:
    case = sandbox.case
    failing = frozenset(key for key in sandbox.upload_keys if _is_refused(sandbox, key))
    if recipe.unit == "devices":
        affected = [(name, "") for name in case.devices if not _is_working(sandbox, name)]
        assumed = len(_devices_with_assumed_call(case, recipe))
        devices = "the device" if assumed == 1 else f"each of {pluralize(assumed, 'device')}"
        notes = [f"One unsent call is assumed on {devices}."] if assumed else []
        missing = len(case.devices) - len(affected)
    else:
        cause = recipe.engine_cause or case.cause
        affected = [key for key in case.issue_records if cause in _refusal_causes(sandbox, key)]
        notes, missing = [], len(case.issue_records) - len(affected)
    other_keys = [row.key for group in case.save_groups if not group.from_issue for row in group.records]
    unblocked = sum(key not in failing for key in other_keys)
    if unblocked:
        others = pluralize(unblocked, "other record")
        verb = "is" if unblocked == 1 else "are"
        notes.append(f"{others} in error cannot be reproduced and {verb} left out.")
    if missing:
        verb = "is" if missing == 1 else "are"
        units = pluralize(missing, recipe.unit[:-1])
        notes.append(f"{units} of the issue cannot be reproduced and {verb} left out.")
    return _Baseline(tuple(affected), failing, tuple(notes))


def _is_refused(sandbox: Sandbox, key: RecordKey) -> bool:
    refused = {entry.key for name, entry in sandbox.error_entries() if name == key[0]}
    return bool(refused & set(sandbox.upload_keys[key]))


def _refusal_causes(sandbox: Sandbox, key: RecordKey) -> set[str]:
    return set().union(
        *(sandbox.refusal_causes.get(upload, set()) for upload in sandbox.upload_keys.get(key, []))
    )


def _try_fix(case: IssueCase, recipe: Recipe, baseline: _Baseline, seed: int, index: int) -> Candidate:
    fix = recipe.fixes[index]
    with _rebuild(case, recipe, seed) as sandbox:
        fix.apply(sandbox)
        sandbox.sync()
        freed, failing, lost = _count_outcome(sandbox, recipe, baseline)
    return Candidate(
        name=fix.name, who=fix.who, kind="fix", freed=freed, still_failing=failing, lost=lost,
        total=len(baseline.issue_records), unit=recipe.unit,
    )  # fmt: skip


def _try_recovery_action(
    case: IssueCase, recipe: Recipe, baseline: _Baseline, seed: int, action: RecoveryAction
) -> Candidate:
    with _rebuild(case, recipe, seed) as sandbox:
        _apply_recovery_action(sandbox, action)
        sandbox.sync()
        freed, failing, lost = _count_outcome(sandbox, recipe, baseline)
        actual = sandbox.lost_records()
    predicted = {key for key in _predicted_losses(action) if key in baseline.failing}
    return Candidate(
        name=action.title, who=action.who, kind="recovery_action", freed=freed, still_failing=failing, lost=lost,
        total=len(baseline.issue_records), unit=recipe.unit, lost_changes=len(actual),
        predicted_loss=len(predicted), as_predicted=predicted == actual,
        note="the deletes are reverted" if action.name == "undelete" else "",
    )  # fmt: skip


def _predicted_losses(action: RecoveryAction) -> set[RecordKey]:
    """Return the records that the recovery action is expected to lose."""
    return set(zip(action.lost_records["device_id"], action.lost_records["record_id"], strict=True))


def _apply_recovery_action(sandbox: Sandbox, action: RecoveryAction) -> None:
    if action.name in ("undo", "undelete"):
        _apply_on_errors_tab(sandbox, action)
        return
    users = {sandbox.case.device_users[name] for name in action.devices if name in sandbox.case.device_users}
    for name in sandbox.lab.users:
        # Veeva does not document which of a user's devices reads a flag, so each of them gets it.
        if sandbox.case.device_users[name] in users:
            sandbox.set_user(name, **{action.name: True})
            sandbox.sync([name])


def _apply_on_errors_tab(sandbox: Sandbox, action: RecoveryAction) -> None:
    apply = errors_tab.undo if action.name == "undo" else errors_tab.undelete
    selected = {row.key for row in sandbox.issue_records() if row.has_issue_error}
    if action.name == "undo":
        selected &= _predicted_losses(action)
    record_keys = {uploads[0]: key for key, uploads in sandbox.upload_keys.items()}
    for name, entry in sandbox.error_entries(selected):
        if action.name not in entry.actions:
            continue
        try:
            apply(sandbox.device(name), entry.key)
        except ValueError:  # not allowed while another upload of the record is pending
            continue
        if action.name == "undelete":
            sandbox.withdrawn.add(record_keys[entry.key])


def _count_outcome(sandbox: Sandbox, recipe: Recipe, baseline: _Baseline) -> tuple[int, int, int]:
    """Count the freed, still failing and lost records or devices of the issue."""
    lost_keys = sandbox.lost_records()
    if recipe.unit == "records":
        lost = sum(key in lost_keys for key in baseline.issue_records)
        failing = sum(sandbox.is_pending(key) for key in baseline.issue_records)
    else:
        names = {name for name, _ in baseline.issue_records}
        names_with_loss = names & {name for name, _ in lost_keys}
        lost = len(names_with_loss)
        failing = sum(not _is_working(sandbox, name) for name in names - names_with_loss)
    return len(baseline.issue_records) - lost - failing, failing, lost


def _is_working(sandbox: Sandbox, name: str) -> bool:
    """Return whether the device syncs and has sent its assumed call."""
    call = (name, ASSUMED_CALL)
    return sandbox.last_sync_ok[name] and not (call in sandbox.upload_keys and sandbox.is_pending(call))
