"""The clock of a device: a date limit that one device alone meets may be its clock's doing."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection


def settle_clocks(connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame) -> None:
    """Call a date limit the clock's doing where the device's syncs begin hours before or after Vault's time."""
    skews = connection.execute(_CLOCKS).df().set_index("device_id")
    # A clock that is ahead dates records into the future, one that is behind into the past.
    future = events["message"].fillna("").astype("str").str.contains(_FUTURE, case=False, regex=True)
    hours = events["device_id"].map(skews["ahead"]).where(future, events["device_id"].map(skews["behind"]))
    wrong = (found["cause"] == "date-limit") & hours.notna()
    said = [
        [
            *had,
            f"The clock of device {device} is {off:+.0f} h off: its syncs carry a start that far from the time "
            "at which Vault saved them.",
        ]
        for had, device, off in zip(
            found.loc[wrong, "evidence"], events.loc[wrong, "device_id"], hours[wrong], strict=True
        )
    ]
    found.loc[wrong, "evidence"] = pd.Series(said, index=found.index[wrong], dtype=object)
    found.loc[wrong, "also"] = found.loc[wrong, "cause"].map(lambda cause: [cause])
    found.loc[wrong, "cause"] = "device-clock"
    found.loc[wrong, "confidence"] = 0.95


_FUTURE = r"future|zukunft|futur|将来|未来|later than"

# Vault stamps `created_date__v` when it saves the record; the device stamps the start. Hours apart is a clock,
# and two such syncs are needed, because one may have waited. A clock may be right on
# other days. Backdate limits count days, so a clock that is a day behind hardly breaks one.
_CLOCKS = """
WITH skew AS (
    SELECT d.device_id, date_diff('minute', t.created_date__v, t.sync_start_datetime__v) / 60 AS hours
    FROM sync_tracking__v AS t JOIN sync_detail AS d ON d.sync_id = t.id
    WHERE t.created_date__v IS NOT NULL AND d.device_id IS NOT NULL
)
SELECT device_id,
    CASE WHEN count_if(hours >= 1) >= 2 THEN median(hours) FILTER (WHERE hours >= 1) END AS ahead,
    CASE WHEN count_if(hours <= -72) >= 2 THEN median(hours) FILTER (WHERE hours <= -72) END AS behind
FROM skew GROUP BY device_id
"""
