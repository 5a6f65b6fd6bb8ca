"""Is sync set up wrongly? VMOCs that cannot work, and the one setting that was changed just before."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.overrides import apply, ask, leaves_open, told, vague
from analysis.config_lint.rules import LINT_RULES, LintRule

CAUSES = ("sync-configuration",)
SETTING_DAYS = 2
_USERS_AT_LEAST = 2
_NEEDS = ("vmoc", "object_field")
_KEY = ["error_type", "phase"]


def settle_configured(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Settle open errors outside of uploads: by lint of the object's VMOCs, else by the only setting changed.

    Uploads do not ask VMOCs. A finding of lint counts where nothing about the object was changed between the
    error and the snapshot that lint has read; a setting where no other change came in SETTING_DAYS before the
    first of the errors, and its name says what it is about.
    """
    outside = ~events["phase"].fillna("").isin(["", "upload"])
    disputed = found["also"].map(bool) & found["cause"].isin(["object-permission", "schema-mismatch"])
    about = outside & (leaves_open(found, CAUSES) | disputed) & events["object"].notna()
    if about.any():
        _by_lint(connection, events[about], found)
    about = outside & vague(found)
    if about.any():
        asked = events.loc[about, [*_KEY, "user_id", "occurred_at"]].fillna(dict.fromkeys(_KEY, ""))
        facts = ask(connection, _CHANGED, asked, days=SETTING_DAYS, users=_USERS_AT_LEAST)
        apply(found, told(asked, facts, _KEY))


_OVER = {"sync-configuration": ("object-permission", "schema-mismatch")}


def _by_lint(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    rules = [rule for rule in LINT_RULES.values() if _is_fatal(rule)]
    if not all(connection.execute(f"SELECT EXISTS (FROM {table})").fetchone() == (True,) for table in _NEEDS):
        return
    broken = [(row[2], row[0]) for rule in rules for row in connection.execute(rule.query()).fetchall()]
    said = (
        pd.DataFrame(broken, columns=["object", "what"], dtype="str")
        .dropna()
        .groupby("object", as_index=False)
    )
    verdicts = said.agg(said=("what", lambda sentences: " ".join(sorted(sentences))))
    asked = (
        events[["event_id", "object", "occurred_at"]]
        .merge(verdicts, on="object")
        .set_index("event_id", drop=False)
    )
    if asked.empty:
        return
    facts = ask(connection, _UNCHANGED, asked)
    named = events[["event_id"]]
    apply(found, told(named, facts, ["event_id"]), _OVER)


def _is_fatal(rule: LintRule) -> bool:
    return rule.cause == CAUSES[0] and rule.severity == "error" and rule.name.startswith("vmoc-")


_UNCHANGED = """
WITH seen AS (SELECT object, max(as_of) AS as_of FROM vmoc WHERE object IS NOT NULL GROUP BY object)
SELECT a.event_id, 'sync-configuration' AS cause, 0.85 AS confidence, a.said
FROM asked AS a JOIN seen AS s ON s.object = a.object
WHERE NOT EXISTS (
    SELECT 1 FROM config_change AS c WHERE c.kind IN ('vmoc', 'object', 'field') AND c.object = a.object
        AND c.changed_at > least(a.occurred_at, s.as_of) AND c.changed_at <= greatest(a.occurred_at, s.as_of))
"""
_CHANGED = r"""
WITH begun AS (
    SELECT error_type, phase, min(occurred_at) AS since, count(DISTINCT user_id) AS users FROM asked GROUP BY ALL
),
before AS (
    SELECT b.error_type, b.phase, count(*) AS changes, any_value(c) AS c
    FROM begun AS b JOIN config_change AS c
        ON c.changed_at <= b.since AND c.changed_at >= b.since - to_days(CAST($days AS INTEGER))
    WHERE b.users >= $users GROUP BY ALL
)
SELECT error_type, phase, 0.72 AS confidence,
    CASE WHEN regexp_matches(lower(c.target), 'version') THEN 'app-outdated'
        WHEN regexp_matches(lower(c.target), 'configuration_?mode') THEN 'access-policy'
        WHEN regexp_matches(lower(c.target), 'account|vmoc|sync|refresh|mobile_object')
            THEN 'sync-configuration' END AS cause,
    concat('The only change of configuration in the ', $days, ' days before the first of these errors: setting ',
        c.target, coalesce(concat(' became ', left(c.after, 40)), ''), ' at ',
        strftime(c.changed_at, '%Y-%m-%d %H:%M'), ' UTC.') AS said
FROM before WHERE changes = 1 AND c.kind = 'setting'
"""
