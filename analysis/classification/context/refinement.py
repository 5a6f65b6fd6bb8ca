"""What the store knows that a message cannot say: the same words, settled by what else happened.

Every question here is one SQL statement over the whole store, and every answer is a sentence that the finding
keeps as evidence. Tables that a store does not fill simply give no evidence.

A settler overrules only what the message leaves open: a cause that its rule names beside another, a hint, or
`unknown`. Where the message is plain, the store can only confirm.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.classification.context.api_limits import settle_limits
from analysis.classification.context.app_version import settle_versions
from analysis.classification.context.deleted_records import settle_lost
from analysis.classification.context.device_clock import settle_clocks
from analysis.classification.context.outages import settle_crowds
from analysis.classification.context.permission_peers import settle_peers
from analysis.classification.context.permissions import settle_rights
from analysis.classification.context.recent_changes import settle_shipped
from analysis.classification.context.sign_in import settle_signins
from analysis.classification.context.sync_configuration import settle_configured

_Settler = Callable[[DuckDBPyConnection, pd.DataFrame, pd.DataFrame], None]

REFINERS: tuple[_Settler, ...] = (
    settle_clocks,
    settle_rights,
    settle_lost,
    settle_peers,
    settle_signins,
    settle_versions,
    settle_crowds,
    settle_limits,
    settle_configured,
    settle_shipped,
)
"""In their order: what knows the very thing, then what compares with others, then what came shortly before."""


def refine_by_context(
    connection: DuckDBPyConnection, events: pd.DataFrame, found: pd.DataFrame
) -> pd.DataFrame:
    """Let the store confirm or overrule each finding; both frames have one row per event, on one index.

    Adds sentences to `evidence`, and changes `cause`, `confidence` and `also` only where the store decides.
    """
    if len(events):
        for settler in REFINERS:
            settler(connection, events, found)
    return found
