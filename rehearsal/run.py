"""Carry out each candidate on a fresh copy of the situation, and count what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
"""The levers that change what is on a device; sending sync files to Veeva changes nothing to count."""


RECIPES: Mapping[str, Callable[[IssueCase], Recipe]] = {
    **devices.RECIPES,
    **app.RECIPES,
    **records.RECIPES,
    **values.RECIPES,
    **limits.RECIPES,
}
"""How to rebuild each cause."""
NOT_REHEARSED: Mapping[str, str] = {
    "unknown": "What is not known cannot be rebuilt. Name the cause first: `synclens unknown` lists what waits for "
    "a rule, and on the issue's page its cause can be corrected.",
    "local-database-damaged": "What becomes of unsent work depends on which part of the database is damaged, and no "
    "report tells; a rehearsal would promise what nobody knows. Follow the playbook: secure unsent work with Veeva "
    "Support before anything is refreshed or reinstalled.",
}
"""Causes that are not rehearsed, and why."""


def rehearse(
    store: DuckDBPyConnection | Path | str, issue_id: str, *, seed: int = 0, max_devices: int = MAX_DEVICES
) -> RehearsalResult:
    """Try each fix and recovery action of an issue in the reference engine.

    `store` is an open connection or a path. The same seed returns the same result. At most `max_devices` devices
    are rebuilt. Raises UnknownIssue if no error belongs to `issue_id`, and the errors of `ingest.open_store`.
    """
    if not isinstance(store, DuckDBPyConnection):
        with ingest.open_store(store) as connection:
            return rehearse(connection, issue_id, seed=seed, max_devices=max_devices)
    case = read_issue_case(store, issue_id, seed=seed, max_devices=max_devices)
    recipe = _find_recipe(case)
    if isinstance(recipe, str):
        return _result_without_candidates(case, seed, recipe)
    with _rebuild(case, recipe, seed) as sandbox:
        stuck = _measure_baseline(sandbox, recipe)
    if not stuck.issue_records:
        why = f"The engine does not fail for the cause {case.cause} in the situation that the store tells of."
        return _result_without_candidates(case, seed, why)
    levers = [one for one in case.recovery_actions if one.name in _REHEARSED_ACTIONS]
    found = [_try_fix(case, recipe, stuck, seed, at) for at in range(len(recipe.fixes))]
    found += [_try_recovery_action(case, recipe, stuck, seed, one) for one in levers if one.offered]
    return RehearsalResult(
        issue_id=issue_id, cause=case.cause, seed=seed, total=len(stuck.issue_records), unit=recipe.unit,
        assumptions=(recipe.assumption, *case.assumptions, *stuck.assumptions),
        candidates=tuple(sorted(found, key=lambda one: (-one.freed, one.lost))),
        not_offered=tuple((one.title, one.reason) for one in levers if not one.offered),
    )  # fmt: skip


def _find_recipe(case: IssueCase) -> Recipe | str:
    """The recipe for the case's cause, or the reason why the engine cannot rebuild it."""
    if not case.devices:
        return "No error of this issue names a user or a device, so nobody's situation can be rebuilt."
    if case.cause in NOT_REHEARSED:
        return NOT_REHEARSED[case.cause]
    if case.cause not in RECIPES:
        return f"The rehearsal has no way to bring about the cause {case.cause} in the reference engine."
    recipe = RECIPES[case.cause](case)
    if recipe.unit == "records" and not case.issue_records:
        if case.cause == "field-permission" and case.field == "modified_date__v":
            return devices.unreadable_field(case)
        return "No error of this issue names a record, so there is nothing to rebuild."
    return recipe.skip_reason(case) or recipe


def _result_without_candidates(case: IssueCase, seed: int, reason: str) -> RehearsalResult:
    return RehearsalResult(
        issue_id=case.issue_id, cause=case.cause, seed=seed, total=0, unit="records",
        assumptions=case.assumptions, candidates=(), reason=reason,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What failed in the rebuilt situation: the issue's own, and all records in error with it."""

    issue_records: tuple[RecordKey, ...]  # for the unit devices the record of a key is empty
    failing: frozenset[RecordKey]
    assumptions: tuple[str, ...]


def _rebuild(case: IssueCase, recipe: Recipe, seed: int) -> Sandbox:
    """Rebuild: all is well, people save, things go wrong, everybody syncs."""
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
    """The devices on which an unsent call is assumed: those of which the store knows nothing, or all."""
    busy = set() if recipe.call_fields else {row.device for one in case.save_groups for row in one.records}
    return [name for name in case.devices if name not in busy]


def _measure_baseline(sandbox: Sandbox, recipe: Recipe) -> _Baseline:
    case = sandbox.case
    failing = frozenset(key for key in sandbox.upload_keys if _is_refused(sandbox, key))
    if recipe.unit == "devices":
        subject = [(name, "") for name in case.devices if not _is_working(sandbox, name)]
        assumed = len(_devices_with_assumed_call(case, recipe))
        where = "the device" if assumed == 1 else f"each of {pluralize(assumed, 'device')}"
        told = [f"One unsent call is assumed on {where}."] if assumed else []
        missing = len(case.devices) - len(subject)
    else:
        cause = recipe.engine_cause or case.cause
        subject = [key for key in case.issue_records if cause in _refusal_causes(sandbox, key)]
        told, missing = [], len(case.issue_records) - len(subject)
    held = [row.key for one in case.save_groups if not one.from_issue for row in one.records]
    free = sum(key not in failing for key in held)
    if free:
        words = pluralize(free, "other record")
        told.append(f"{words} in error cannot be rebuilt, so what a lever would lose of them is left out.")
    if missing:
        verb = "is" if missing == 1 else "are"
        told.append(
            f"{pluralize(missing, recipe.unit[:-1])} of the issue cannot be rebuilt and {verb} left out."
        )
    return _Baseline(tuple(subject), failing, tuple(told))


def _is_refused(sandbox: Sandbox, key: RecordKey) -> bool:
    refused = {entry.key for name, entry in sandbox.error_entries() if name == key[0]}
    return bool(refused & set(sandbox.upload_keys[key]))


def _refusal_causes(sandbox: Sandbox, key: RecordKey) -> set[str]:
    return set().union(*(sandbox.refusal_causes.get(one, set()) for one in sandbox.upload_keys.get(key, [])))


def _try_fix(case: IssueCase, recipe: Recipe, stuck: _Baseline, seed: int, at: int) -> Candidate:
    way = recipe.fixes[at]
    with _rebuild(case, recipe, seed) as sandbox:
        way.apply(sandbox)
        sandbox.sync()
        freed, failing, lost = _count_outcome(sandbox, recipe, stuck)
    return Candidate(
        name=way.name, who=way.who, kind="fix", freed=freed, still_failing=failing, lost=lost,
        total=len(stuck.issue_records), unit=recipe.unit,
    )  # fmt: skip


def _try_recovery_action(
    case: IssueCase, recipe: Recipe, stuck: _Baseline, seed: int, lever: RecoveryAction
) -> Candidate:
    with _rebuild(case, recipe, seed) as sandbox:
        _apply_recovery_action(sandbox, lever)
        sandbox.sync()
        freed, failing, lost = _count_outcome(sandbox, recipe, stuck)
        actual = sandbox.lost_records()
    predicted = {key for key in _predicted_losses(lever) if key in stuck.failing}
    return Candidate(
        name=lever.title, who=lever.who, kind="lever", freed=freed, still_failing=failing, lost=lost,
        total=len(stuck.issue_records), unit=recipe.unit, predicted_loss=len(predicted),
        as_predicted=predicted == actual,
        note="the deletes are taken back" if lever.name == "undelete" else "",
    )  # fmt: skip


def _predicted_losses(lever: RecoveryAction) -> set[RecordKey]:
    """The records that the lever is said to lose."""
    return set(zip(lever.lost_records["device_id"], lever.lost_records["record_id"], strict=True))


def _apply_recovery_action(sandbox: Sandbox, lever: RecoveryAction) -> None:
    if lever.name in ("undo", "undelete"):
        _apply_on_errors_tab(sandbox, lever)
        return
    owners = {sandbox.case.device_users[name] for name in lever.devices if name in sandbox.case.device_users}
    for name in sandbox.lab.people:
        if (
            sandbox.case.device_users[name] in owners
        ):  # Veeva does not say which of a user's devices heeds a flag
            sandbox.set_user(name, **{lever.name: True})
            sandbox.sync([name])


def _apply_on_errors_tab(sandbox: Sandbox, lever: RecoveryAction) -> None:
    action = lever.name
    act = errors_tab.undo if action == "undo" else errors_tab.undelete
    named = {row.key for row in sandbox.issue_records() if row.has_issue_error}
    if action == "undo":
        named &= _predicted_losses(lever)
    keys = {keys[0]: key for key, keys in sandbox.upload_keys.items()}
    for name, entry in sandbox.error_entries(named):
        if action not in entry.actions:
            continue
        try:
            act(sandbox.device(name), entry.key)
        except ValueError:  # another upload of the record waits, which the action does not allow
            continue
        if action == "undelete":
            sandbox.withdrawn.add(keys[entry.key])


def _count_outcome(sandbox: Sandbox, recipe: Recipe, stuck: _Baseline) -> tuple[int, int, int]:
    """Count what is freed, still failing and lost of the issue's own."""
    gone = sandbox.lost_records()
    if recipe.unit == "records":
        lost = sum(key in gone for key in stuck.issue_records)
        failing = sum(sandbox.is_pending(key) for key in stuck.issue_records)
    else:
        names = {name for name, _ in stuck.issue_records}
        lost_on = names & {name for name, _ in gone}
        lost = len(lost_on)
        failing = sum(not _is_working(sandbox, name) for name in names - lost_on)
    return len(stuck.issue_records) - lost - failing, failing, lost


def _is_working(sandbox: Sandbox, name: str) -> bool:
    """Whether the device syncs again and has sent the call that it was assumed to hold."""
    assumed = (name, ASSUMED_CALL)
    return sandbox.last_sync_ok[name] and not (assumed in sandbox.upload_keys and sandbox.is_pending(assumed))
