"""`synclens slo`: show the service level objectives and their error budgets."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.options import DEFAULT_STORE, JsonOption, ObjectivesOption, StoreOption, read_optional

_STATE_STYLES = {"burning": "bold red", "spent": "red", "little data": "dim"}


def slo(
    store: StoreOption = DEFAULT_STORE, objectives: ObjectivesOption = None, as_json: JsonOption = False
) -> None:
    """Show each objective with its used error budget and burn rate. Exits 1 if one is burning or spent.

    Example: synclens slo --store my.duckdb
    """
    with ingest.open_store(store) as opened:
        frame = analysis.slo_status(opened, analysis.load_objectives(read_optional(objectives)))
    if as_json:
        console.print_json_frame(frame)
    else:
        console.print_output(_slo_table(console.frame_to_records(frame)))
    if frame["state"].isin(["burning", "spent"]).any():
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _slo_table(rows: list[dict[str, object]]) -> Table:
    table = Table("objective", "sync type", "window", "budget used", "burn", "limit", "state", "why")
    for row in rows:
        state = str(row["state"])
        table.add_row(
            Text(str(row["slo"])),
            Text(str(row["sync_type"])),
            Text(f"{row['severity']}, {row['window_syncs']}"),
            _format_share(row["budget_used"]),
            _format_burn(row["burn_low"]),
            _format_burn(row["burn_limit"]),
            Text(state, style=_STATE_STYLES.get(state, "green")),
            Text(str(row["reason"])),
        )
    return table


def _format_share(value: object) -> Text:
    return Text(f"{float(str(value)):.0%}" if value is not None else "–")


def _format_burn(value: object) -> Text:
    return Text(f"{float(str(value)):.2f}" if value is not None else "–")
