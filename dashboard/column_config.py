"""Labels and formats of table columns. Vault field names are shown unchanged."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

LABELS = {
    "active_median": "Median active s",
    "app_version": "App version",
    "bad": "Failed",
    "canceled": "Canceled",
    "cause": "Cause",
    "truth": "Truth",
    "f1": "F1",
    "country": "Country",
    "enough": "Enough data",
    "day": "Day",
    "dependents": "Dependents",
    "blocked_by": "Blocked by",
    "peer_value": "Usual among peers",
    "peer_share": "Peers with this value",
    "other_failure_rate": "Failure rate of others",
    "rate_in": "Rate inside",
    "rate_out": "Rate elsewhere",
    "rate_in_before": "Rate inside before",
    "rate_out_before": "Rate elsewhere before",
    "p_value": "p (adjusted)",
    "what": "Description",
    "device_id": "Device",
    "device_model": "Model",
    "devices": "Devices",
    "devices_with_failure": "Affected devices",
    "error_type": "Error type",
    "events": "Errors",
    "expected": "Expected",
    "failures": "Failures",
    "total": "Total syncs",
    "times": "Count",
    "failure_rate": "Failure rate",
    "field": "Field",
    "freed": "Freed",
    "still_failing": "Still failing",
    "lost": "Lost",
    "lost_changes": "Lost over all issues",
    "predicted_loss": "Predicted loss",
    "first_seen": "First seen",
    "good": "Succeeded",
    "high": "Upper bound",
    "http_status": "HTTP",
    "age_hours": "Age in hours",
    "duration_seconds": "Seconds",
    "happened_at": "Time",
    "how": "Outcome",
    "pending": "Pending",
    "pending_in_error": "Pending in error",
    "storage_free_mb": "Free MB",
    "affected_with": "Affected with it",
    "affected_without": "Affected without it",
    "device": "Device",
    "last_seen_at": "Last seen",
    "model": "Model",
    "rows_in": "Rows in",
    "rows_new": "New",
    "rows_unchanged": "Unchanged",
    "rows_updated": "Updated",
    "rows_rejected": "Rejected",
    "best_day_share": "Best day",
    "risk_ratio": "Risk ratio",
    "share_24h": "Last 24 h",
    "share_6h": "Last 6 h",
    "last_seen": "Last seen",
    "low": "Lower bound",
    "message": "Message",
    "object": "Object",
    "occurred_at": "Time",
    "operation": "Operation",
    "os_version": "OS",
    "phase": "Phase",
    "platform": "Platform",
    "record_id": "Record",
    "records": "Records",
    "security_profile": "Profile",
    "share": "Share",
    "success_rate": "Success rate",
    "sync_type": "Sync type",
    "syncs": "Syncs",
    "territory": "Territory",
    "unfinished": "Unfinished",
    "user_id": "User",
    "users": "Users",
    "with_upload_errors": "With upload errors",
}
_SHARES = {
    "share",
    "rate_in",
    "rate_out",
    "rate_in_before",
    "rate_out_before",
    "peer_share",
    "precision",
    "recall",
    "f1",
    "coverage",
    "mean_confidence",
    "confidence",
    "risk",
    "affected_with",
    "affected_without",
}
_BOUNDS = {"low", "high"}
_DIGITS = {"p_value": "%.2g", "expected": "%.1f", "age_hours": "%.0f"}


def build_column_config(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the column configuration of a frame: labels, number and time formats."""
    ratios = "risk_ratio" in frame  # bounds of a ratio are not shares
    return {str(name): _configure_column(str(name), frame[name], ratios) for name in frame.columns}


def column_label(name: str) -> str:
    """Return the label of a column. Names without a label are split at underscores."""
    if name.endswith(("__v", "__c", "__sys")):
        return name
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def _configure_column(name: str, values: pd.Series[Any], ratios: bool) -> ColumnConfig | str:
    title, types, column = column_label(name), pd.api.types, st.column_config
    if name == "day":
        return column.DateColumn(title, format="ddd D MMM YYYY")
    if types.is_datetime64_any_dtype(values):
        return column.DatetimeColumn(title, format="D MMM YYYY HH:mm")
    if types.is_bool_dtype(values):
        return column.CheckboxColumn(title)
    if types.is_numeric_dtype(values):
        return column.NumberColumn(title, format=_number_format(name, values, ratios))
    return title


def round_shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with shares rounded to a tenth of a percent."""
    ratios = "risk_ratio" in frame
    shares = [name for name in frame if _is_share(str(name), ratios)]
    return frame.round({name: 3 for name in shares if pd.api.types.is_float_dtype(frame[name])})


def _is_share(name: str, ratios: bool) -> bool:
    return (
        name in _SHARES
        or (name in _BOUNDS and not ratios)
        or name.endswith(("_rate", "_share"))
        or name.startswith("share_")
    )


def _number_format(name: str, values: pd.Series[Any], ratios: bool) -> str:
    if _is_share(name, ratios):
        return "percent"
    if name in _DIGITS:
        return _DIGITS[name]
    return "%.2f" if pd.api.types.is_float_dtype(values) else "localized"
