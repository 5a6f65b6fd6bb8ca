"""Refine findings by context: decide what the message leaves open from other facts in the store.

Each context rule is one SQL query over the whole store (`rules.py`) and adds a sentence of evidence to the
findings. Empty tables are no evidence.

A rule replaces a cause only if the message leaves it open: the new cause is an alternative of the classification
rule, or the finding is a hint or unknown. A clear message can only be confirmed, except by what the rule overrules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import registered_frame
from analysis.classification.catalogue import UNKNOWN
from analysis.classification.context import candidates
from analysis.classification.context.candidates import is_vague
from analysis.classification.context.rules import ContextRule, load_context_rules
from analysis.config_lint.rules import LINT_RULES, LintRule

CONTEXT_RULES: Mapping[str, ContextRule] = MappingProxyType(load_context_rules())
_Select = Callable[[pd.DataFrame, pd.DataFrame, ContextRule], pd.DataFrame]

CANDIDATE_SELECTORS: Mapping[str, _Select] = MappingProxyType({
    "device_clock": candidates.select_date_limits,
    "permissions": candidates.select_permission_errors,
    "deleted_records": candidates.select_record_errors,
    "permission_peers": candidates.select_peer_errors,
    "sign_in": candidates.select_sign_ins,
    "app_version": candidates.select_version_errors,
    "outages": candidates.select_connection_errors,
    "api_limits": candidates.select_limit_errors,
    "broken_vmocs": candidates.select_vmoc_errors,
    "recent_settings": candidates.select_setting_errors,
    "recent_changes": candidates.select_vague_errors,
})  # fmt: skip
"""The rules in their order: direct facts first, then comparisons with other devices, then recent changes."""


def refine_by_context(
    connection: DuckDBPyConnection, events: pd.DataFrame, findings: pd.DataFrame
) -> pd.DataFrame:
    """Apply every context rule to `findings` in place, and return them.

    Both frames have one row per event, on the same index. Adds sentences to `evidence`; changes `cause`,
    `confidence` and `also` where a rule decides.
    """
    for name in CANDIDATE_SELECTORS:
        apply_rule(connection, events, findings, name)
    return findings


def apply_rule(
    connection: DuckDBPyConnection, events: pd.DataFrame, findings: pd.DataFrame, name: str
) -> None:
    """Apply the context rule `name` to `findings` in place."""
    rule = CONTEXT_RULES[name]
    selected = CANDIDATE_SELECTORS[name](events, findings, rule)
    if selected.empty:
        return
    answers = run_rule(connection, rule, selected)
    joined = selected[[*rule.key]].merge(answers, on=[*rule.key], how="left").set_axis(selected.index)
    _apply(findings, joined.loc[joined["cause"].notna(), ["cause", "confidence", "evidence"]], rule.overrules)


def run_rule(connection: DuckDBPyConnection, rule: ContextRule, selected: pd.DataFrame) -> pd.DataFrame:
    """Run the query of a rule on the candidates `selected`, and return its answers."""
    with ExitStack() as frames:
        frames.enter_context(registered_frame(connection, "candidate", selected))
        if "vmoc_problem" in rule.sql:
            frames.enter_context(registered_frame(connection, "vmoc_problem", _vmoc_problems(connection)))
        return connection.execute(rule.sql, rule.parameters).df()


def _vmoc_problems(connection: DuckDBPyConnection) -> pd.DataFrame:
    """Return the errors that configuration lint reports for VMOCs: object and what."""
    rows: list[tuple[str | None, str | None]] = []
    tables = ("vmoc", "object_field")
    if all(connection.execute(f"SELECT EXISTS (FROM {table})").fetchone() == (True,) for table in tables):
        for rule in filter(_breaks_download, LINT_RULES.values()):
            rows += [(row[2], row[0]) for row in connection.execute(rule.query()).fetchall()]
    return pd.DataFrame(rows, columns=["object", "what"], dtype="str")


def _breaks_download(rule: LintRule) -> bool:
    return rule.cause == "sync-configuration" and rule.severity == "error" and rule.name.startswith("vmoc-")


def _apply(findings: pd.DataFrame, answers: pd.DataFrame, overrules: Mapping[str, tuple[str, ...]]) -> None:
    """Write answers (index of `findings`; cause, confidence, evidence) into their findings.

    An answer with the same cause confirms it. Another cause replaces it if the finding leaves it open, or if
    `overrules` allows it; otherwise the answer is ignored. Earlier evidence is replaced only by stronger evidence.
    """
    if answers.empty:
        return
    current = findings.loc[answers.index]
    agrees = current["cause"] == answers["cause"]
    is_possible = pd.Series(
        [
            cause in alternatives or old_cause in overrules.get(cause, ())
            for cause, alternatives, old_cause in zip(
                answers["cause"], current["also"], current["cause"], strict=True
            )
        ],
        index=current.index,
    )
    is_decided = current["evidence"].map(bool) & (current["confidence"] >= answers["confidence"])
    accepted = answers[agrees | ((is_possible | is_vague(current)) & ~is_decided)]
    changed = accepted[~agrees.loc[accepted.index]]
    evidence = [
        [*earlier, sentence]
        for earlier, sentence in zip(
            findings.loc[accepted.index, "evidence"], accepted["evidence"], strict=True
        )
    ]
    findings.loc[accepted.index, "evidence"] = pd.Series(evidence, index=accepted.index, dtype=object)
    confidence = accepted["confidence"].clip(
        lower=findings.loc[accepted.index, "confidence"].where(agrees.loc[accepted.index], 0.0)
    )
    findings.loc[accepted.index, "confidence"] = confidence
    alternatives = [
        [old_cause, *(other for other in also if other != cause)] if old_cause != UNKNOWN else []
        for old_cause, also, cause in zip(
            findings.loc[changed.index, "cause"],
            findings.loc[changed.index, "also"],
            changed["cause"],
            strict=True,
        )
    ]
    findings.loc[changed.index, "also"] = pd.Series(alternatives, index=changed.index, dtype=object)
    findings.loc[changed.index, "cause"] = changed["cause"]
