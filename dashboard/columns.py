"""How columns are called and formatted in tables; Vault's own names stay as they are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

LABELS = {
    "active_median": "Median active s",
    "app_version": "App version",
    "bad": "Failed",
    "canceled": "Canceled",
    "country": "Country",
    "day": "Day (UTC)",
    "device_id": "Device",
    "device_model": "Model",
    "devices": "Devices",
    "devices_with_failure": "Devices hit",
    "error_type": "Error type",
    "events": "Errors",
    "failure_rate": "Share failed",
    "field": "Field",
    "first_seen": "First seen",
    "good": "Succeeded",
    "high": "Upper bound",
    "http_status": "HTTP",
    "last_seen": "Last seen",
    "low": "Lower bound",
    "message": "Message",
    "object": "Object",
    "occurred_at": "At",
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
    "users": "People",
    "with_upload_errors": "With upload errors",
}
_SHARES = {"share", "low", "high"}


def configured(frame: pd.DataFrame) -> dict[str, Any]:
    """A column configuration for every column of a frame: label, number and time formats."""
    return {str(name): _column(str(name), frame[name]) for name in frame.columns}


def label(name: str) -> str:
    """What a column is called; a name nobody has listed is split at its underscores."""
    if name.endswith(("__v", "__c", "__sys")):
        return name
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def _column(name: str, values: pd.Series[Any]) -> Any:
    title = label(name)
    if name == "day":
        return st.column_config.DateColumn(title, format="ddd D MMM YYYY")
    if pd.api.types.is_datetime64_any_dtype(values):
        return st.column_config.DatetimeColumn(title, format="D MMM YYYY HH:mm")
    if name in _SHARES or name.endswith(("_rate", "_share")):
        return st.column_config.NumberColumn(title, format="percent")
    if pd.api.types.is_bool_dtype(values):
        return st.column_config.CheckboxColumn(title)
    if pd.api.types.is_numeric_dtype(values):
        return st.column_config.NumberColumn(title, format="localized")
    return title
