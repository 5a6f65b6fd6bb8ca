"""Carry out each candidate on a fresh copy of the situation, and count what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

import ingest
from analysis.base.text import many
from analysis.fixes.recovery_actions import Lever
from rehearsal.issue_case import Case, Key, read_case
from rehearsal.recipes import app, devices, limits, records, values
from rehearsal.recipes.recipe import Recipe
from rehearsal.result import Candidate, Rehearsal
from rehearsal.sandbox import ASSUMED, Stage
from sync_engine.device import errors_tab

MOST_DEVICES = 100
_HOLDING_LEVERS = ("undo", "undelete", "clear_client_sync_errors__v", "force_full_refresh__v")
"""The levers that change what is on a device; sending sync files to Veeva changes nothing to count."""


RECIPES: Mapping[str, Callable[[Case], Recipe]] = {
    **devices.RECIPES,
    **app.RECIPES,
    **records.RECIPES,
    **values.RECIPES,
    **limits.RECIPES,
}
"""How to rebuild each cause."""
WITHOUT: Mapping[str, str] = {
    "unknown": "What is not known cannot be rebuilt. Name the cause first: `synclens unknown` lists what waits for "
    "a rule, and on the issue's page its cause can be corrected.",
    "local-database-damaged": "What becomes of unsent work depends on which part of the database is damaged, and no "
    "report tells; a rehearsal would promise what nobody knows. Follow the playbook: secure unsent work with Veeva "
    "Support before anything is refreshed or reinstalled.",
}
"""Causes that are not rehearsed, and why."""


def rehearse(
    store: DuckDBPyConnection | Path | str, issue_id: str, *, seed: int = 0, most_devices: int = MOST_DEVICES
) -> Rehearsal:
    """Rehearse one issue of an open store, or of the one at a path; the same seed gives the same answer.

    Raises UnknownIssue for an id that no error of the store has, and what `ingest.open_store` raises.
    """
    if isinstance(store, DuckDBPyConnection):
        return rehearse_in(store, issue_id, seed=seed, most_devices=most_devices)
    with ingest.open_store(store) as connection:
        return rehearse_in(connection, issue_id, seed=seed, most_devices=most_devices)


def rehearse_in(
    connection: DuckDBPyConnection, issue_id: str, *, seed: int = 0, most_devices: int = MOST_DEVICES
) -> Rehearsal:
    """As `rehearse`, for a store that is open already."""
    case = read_case(connection, issue_id, seed=seed, most_devices=most_devices)
    recipe = _recipe_for(case)
    if isinstance(recipe, str):
        return _not_rebuilt(case, seed, recipe)
    with _situation(case, recipe, seed) as stage:
        stuck = _stuck(stage, recipe)
    if not stuck.subject:
        why = f"The engine does not fail for the cause {case.cause} in the situation that the store tells of."
        return _not_rebuilt(case, seed, why)
    levers = [one for one in case.levers if one.name in _HOLDING_LEVERS]
    found = [_try_way(case, recipe, stuck, seed, at) for at in range(len(recipe.ways))]
    found += [_try_lever(case, recipe, stuck, seed, one) for one in levers if one.offered]
    return Rehearsal(
        issue_id=issue_id, cause=case.cause, seed=seed, of=len(stuck.subject), unit=recipe.unit,
        assumptions=(recipe.assumes, *case.assumptions, *stuck.told),
        candidates=tuple(sorted(found, key=lambda one: (-one.freed, one.lost))),
        not_offered=tuple((one.title, one.reason) for one in levers if not one.offered),
    )  # fmt: skip


def _recipe_for(case: Case) -> Recipe | str:
    """The recipe for the case's cause, or the reason why the engine cannot rebuild it."""
    if not case.devices:
        return "No error of this issue names a user or a device, so nobody's situation can be rebuilt."
    if case.cause in WITHOUT:
        return WITHOUT[case.cause]
    if case.cause not in RECIPES:
        return f"The rehearsal has no way to bring about the cause {case.cause} in the reference engine."
    recipe = RECIPES[case.cause](case)
    if recipe.unit == "records" and not case.subject:
        if case.cause == "field-permission" and case.field == "modified_date__v":
            return devices.unreadable(case)
        return "No error of this issue names a record, so there is nothing to rebuild."
    return recipe.unfit(case) or recipe


def _not_rebuilt(case: Case, seed: int, reason: str) -> Rehearsal:
    return Rehearsal(
        issue_id=case.issue_id, cause=case.cause, seed=seed, of=0, unit="records",
        assumptions=case.assumptions, candidates=(), reason=reason,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Stuck:
    """What failed in the rebuilt situation: the issue's own, and all records in error with it."""

    subject: tuple[Key, ...]  # for the unit devices the record of a key is empty
    failing: frozenset[Key]
    told: tuple[str, ...]


def _situation(case: Case, recipe: Recipe, seed: int) -> Stage:
    """Rebuild: all is well, people save, things go wrong, everybody syncs."""
    stage = Stage(case, seed, recipe.shape)
    recipe.before(stage)
    stage.sync()
    stage.save_all()
    if recipe.unit == "devices":
        for name in _visitors(case, recipe):
            stage.save_a_visit(name, recipe.visit)
    stage.hold_deletes()
    recipe.plant(stage)
    stage.sync()
    return stage


def _visitors(case: Case, recipe: Recipe) -> list[str]:
    """The devices on which an unsent call is assumed: those of which the store knows nothing, or all."""
    busy = set() if recipe.visit else {row.device for one in case.saved for row in one.rows}
    return [name for name in case.devices if name not in busy]


def _stuck(stage: Stage, recipe: Recipe) -> _Stuck:
    case = stage.case
    failing = frozenset(key for key in stage.keys if _refused(stage, key))
    if recipe.unit == "devices":
        subject = [(name, "") for name in case.devices if not _works(stage, name)]
        assumed = len(_visitors(case, recipe))
        where = "the device" if assumed == 1 else f"each of {many(assumed, 'device')}"
        told = [f"One unsent call is assumed on {where}."] if assumed else []
        missing = len(case.devices) - len(subject)
    else:
        cause = recipe.refused_as or case.cause
        subject = [key for key in case.subject if cause in _why(stage, key)]
        told, missing = [], len(case.subject) - len(subject)
    held = [row.key for one in case.saved if not one.ours for row in one.rows]
    free = sum(key not in failing for key in held)
    if free:
        words = many(free, "other record")
        told.append(f"{words} in error cannot be rebuilt, so what a lever would lose of them is left out.")
    if missing:
        verb = "is" if missing == 1 else "are"
        told.append(f"{many(missing, recipe.unit[:-1])} of the issue cannot be rebuilt and {verb} left out.")
    return _Stuck(tuple(subject), failing, tuple(told))


def _refused(stage: Stage, key: Key) -> bool:
    refused = {entry.key for name, entry in stage.entries() if name == key[0]}
    return bool(refused & set(stage.keys[key]))


def _why(stage: Stage, key: Key) -> set[str]:
    return set().union(*(stage.causes.get(one, set()) for one in stage.keys.get(key, [])))


def _try_way(case: Case, recipe: Recipe, stuck: _Stuck, seed: int, at: int) -> Candidate:
    way = recipe.ways[at]
    with _situation(case, recipe, seed) as stage:
        way.act(stage)
        stage.sync()
        freed, failing, lost = _count(stage, recipe, stuck)
    return Candidate(
        name=way.name, who=way.who, kind="fix", freed=freed, still_failing=failing, lost=lost,
        of=len(stuck.subject), unit=recipe.unit,
    )  # fmt: skip


def _try_lever(case: Case, recipe: Recipe, stuck: _Stuck, seed: int, lever: Lever) -> Candidate:
    with _situation(case, recipe, seed) as stage:
        _pull(stage, lever)
        stage.sync()
        freed, failing, lost = _count(stage, recipe, stuck)
        actual = stage.lost()
    predicted = {key for key in _told(lever) if key in stuck.failing}
    return Candidate(
        name=lever.title, who=lever.who, kind="lever", freed=freed, still_failing=failing, lost=lost,
        of=len(stuck.subject), unit=recipe.unit, predicted_loss=len(predicted),
        as_predicted=predicted == actual,
        note="the deletes are taken back" if lever.name == "undelete" else "",
    )  # fmt: skip


def _told(lever: Lever) -> set[Key]:
    """The records that the lever is said to lose."""
    return set(zip(lever.loses["device_id"], lever.loses["record_id"], strict=True))


def _pull(stage: Stage, lever: Lever) -> None:
    if lever.name in ("undo", "undelete"):
        _on_the_errors_tab(stage, lever)
        return
    owners = {stage.case.owners[name] for name in lever.devices if name in stage.case.owners}
    for name in stage.story.people:
        if stage.case.owners[name] in owners:  # Veeva does not say which of a user's devices heeds a flag
            stage.set_user(name, **{lever.name: True})
            stage.sync([name])


def _on_the_errors_tab(stage: Stage, lever: Lever) -> None:
    action = lever.name
    act = errors_tab.undo if action == "undo" else errors_tab.undelete
    named = {row.key for row in stage.rows() if row.named}
    if action == "undo":
        named &= _told(lever)
    keys = {keys[0]: key for key, keys in stage.keys.items()}
    for name, entry in stage.entries(named):
        if action not in entry.actions:
            continue
        try:
            act(stage.device(name), entry.key)
        except ValueError:  # another upload of the record waits, which the action does not allow
            continue
        if action == "undelete":
            stage.withdrawn.add(keys[entry.key])


def _count(stage: Stage, recipe: Recipe, stuck: _Stuck) -> tuple[int, int, int]:
    """Count what is freed, still failing and lost of the issue's own."""
    gone = stage.lost()
    if recipe.unit == "records":
        lost = sum(key in gone for key in stuck.subject)
        failing = sum(stage.waits(key) for key in stuck.subject)
    else:
        names = {name for name, _ in stuck.subject}
        lost_on = names & {name for name, _ in gone}
        lost = len(lost_on)
        failing = sum(not _works(stage, name) for name in names - lost_on)
    return len(stuck.subject) - lost - failing, failing, lost


def _works(stage: Stage, name: str) -> bool:
    """Whether the device syncs again and has sent the call that it was assumed to hold."""
    assumed = (name, ASSUMED)
    return stage.ended_well[name] and not (assumed in stage.keys and stage.waits(assumed))
