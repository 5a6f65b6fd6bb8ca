"""How each cause is planted in the engine, and what may mend it: the steps of its playbook, carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.issue_case import MAX_LISTED_SETS, IssueCase
from rehearsal.result import Unit
from rehearsal.sandbox import FieldShaper, Sandbox
from sync_engine.json_docs import JsonDict

Step = Callable[[Sandbox], None]


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to try; the sandbox syncs once more after it."""

    name: str
    who: str
    apply: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to rebuild one kind of trouble. `unfit` gives the reason when it cannot be for this case.

    `refused_as` is the cause under which the engine's Vault refuses such a record, where it is another one.
    `visit` has further fields of the call that a device is assumed to hold, which every device then holds.
    """

    assumption: str
    inject_fault: Step
    fixes: tuple[Fix, ...]
    unit: Unit = "records"
    shape_fields: FieldShaper | None = None
    engine_cause: str | None = None
    call_fields: JsonDict = field(default_factory=dict)
    prepare: Step = field(default=lambda _: None)
    skip_reason: Callable[[IssueCase], str | None] = field(default=lambda _: None)


def do_nothing(_: Sandbox) -> None:
    """Change nothing."""


def permission_fixes(
    case: IssueCase, name: str, grant: Callable[[Sandbox, tuple[str, ...]], None]
) -> tuple[Fix, ...]:
    """Give a right back in every permission set that the case knows of; where they are few, in each alone too."""
    everywhere = Fix(
        f"{name}{case.permission_set_suffix}",
        "admin",
        lambda sandbox: grant(sandbox, sandbox.permission_sets),
    )
    few = case.permission_sets if 1 < len(case.permission_sets) <= MAX_LISTED_SETS else ()
    return (everywhere, *(Fix(f"{name} in {one} alone", "admin", _grant_in(grant, one)) for one in few))


def _grant_in(grant: Callable[[Sandbox, tuple[str, ...]], None], name: str) -> Step:
    return lambda sandbox: grant(sandbox, (name,))


SYNC_AGAIN = Fix("Only sync again", "user", do_nothing)
