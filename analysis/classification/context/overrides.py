"""How the store is asked about findings, and how its verdicts meet what the rules found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import registered_frame
from analysis.classification.catalogue import UNKNOWN

HINT = 0.7
"""A rule that is no surer than this leaves the cause open."""


def ask(connection: DuckDBPyConnection, sql: str, asked: pd.DataFrame, **bound: object) -> pd.DataFrame:
    """Put one question about many findings: `sql` reads the frame as the table `asked`, values as $names."""
    with registered_frame(connection, "asked", asked):
        return connection.execute(sql, bound).df()


def told(asked: pd.DataFrame, facts: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Give each asked row (by its index) the verdict that `facts` holds for its key; rows without are left out."""
    joined = asked[[*key]].merge(facts, on=[*key], how="left").set_axis(asked.index)
    return joined.loc[joined["cause"].notna(), ["cause", "confidence", "said"]]


def vague(found: pd.DataFrame) -> pd.Series:
    """Tell for each finding whether its rule says so little that any cause may be behind it."""
    return (found["cause"] == UNKNOWN) | (found["confidence"] <= HINT)


def leaves_open(found: pd.DataFrame, causes: Sequence[str]) -> pd.Series:
    """Tell for each finding whether its rule leaves one of these causes open, or is one of them."""
    wanted = frozenset(causes)
    beside = pd.Series([bool(wanted.intersection(also)) for also in found["also"]], index=found.index)
    return found["cause"].isin(wanted) | beside | vague(found)


def apply(
    found: pd.DataFrame, verdicts: pd.DataFrame, over: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Write verdicts (index of `found`; cause, confidence, said) into the findings they are about.

    A verdict that agrees confirms. One that differs overrules where the rule left its cause open, or where
    `over` says that this verdict stands above that cause; otherwise it is no evidence at all. What other
    evidence has settled gives way to stronger evidence only.
    """
    if verdicts.empty:
        return
    now = found.loc[verdicts.index]
    agrees = now["cause"] == verdicts["cause"]
    open_to = pd.Series(
        [
            cause in also or former in (over or {}).get(cause, ())
            for cause, also, former in zip(verdicts["cause"], now["also"], now["cause"], strict=True)
        ],
        index=now.index,
    )
    settled = now["evidence"].map(bool) & (now["confidence"] >= verdicts["confidence"])
    counts = verdicts[agrees | ((open_to | vague(now)) & ~settled)]
    differs = counts[~agrees.loc[counts.index]]
    evidence = [
        [*had, said] for had, said in zip(found.loc[counts.index, "evidence"], counts["said"], strict=True)
    ]
    found.loc[counts.index, "evidence"] = pd.Series(evidence, index=counts.index, dtype=object)
    surer = counts["confidence"].clip(
        lower=found.loc[counts.index, "confidence"].where(agrees.loc[counts.index], 0.0)
    )
    found.loc[counts.index, "confidence"] = surer
    left = [
        [former, *(one for one in also if one != cause)] if former != UNKNOWN else []
        for former, also, cause in zip(
            found.loc[differs.index, "cause"], found.loc[differs.index, "also"], differs["cause"], strict=True
        )
    ]
    found.loc[differs.index, "also"] = pd.Series(left, index=differs.index, dtype=object)
    found.loc[differs.index, "cause"] = differs["cause"]
