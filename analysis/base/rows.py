"""Convert frames to rows of plain values that JSON can hold."""

from __future__ import annotations

from typing import Any

import pandas as pd


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert a frame to dictionaries: None for missing values, ISO text for times."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(k): v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in rows]
