"""The recipe of a cause: the fault to inject in the sandbox, and the fixes to try."""

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
    """One fix to try. The sandbox syncs again after it."""

    name: str
    who: str
    apply: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The instructions to reproduce one cause.

    `skip_reason` returns why a case cannot be reproduced, or None. `engine_cause` is the cause under which the engine
    refuses the records, if it is another one. With `call_fields`, every device gets an unsent call with these fields.
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
    """Change nothing: the control of each rehearsal."""


def permission_fixes(
    case: IssueCase, name: str, grant: Callable[[Sandbox, tuple[str, ...]], None]
) -> tuple[Fix, ...]:
    """Return fixes that grant a permission in all permission sets.

    If there are few, add a fix for each single one.
    """
    in_all_sets = Fix(
        f"{name}{case.permission_set_suffix}",
        "admin",
        lambda sandbox: grant(sandbox, sandbox.permission_sets),
    )
    single_sets = case.permission_sets if 1 < len(case.permission_sets) <= MAX_LISTED_SETS else ()
    return (
        in_all_sets,
        *(Fix(f"{name} in {item} only", "admin", _grant_in(grant, item)) for item in single_sets),
    )


def _grant_in(grant: Callable[[Sandbox, tuple[str, ...]], None], name: str) -> Step:
    return lambda sandbox: grant(sandbox, (name,))


SYNC_AGAIN = Fix("Sync again without a fix", "user", do_nothing)
