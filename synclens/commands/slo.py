"""`synclens slo`: show the service level objectives and their budgets."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from synclens import console
from synclens.commands.watch import ObjectivesOption, load_objectives
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def slo(
    store: StoreOption = DEFAULT_STORE, objectives: ObjectivesOption = None, as_json: JsonOption = False
) -> None:
    """Show each objective: what is left of its budget and how fast it burns; exit 1 if one burns or is spent.

    Example: synclens slo --store my.duckdb
    """
    with ingest.open_store(store) as opened:
        frame = analysis.slo_status(opened, load_objectives(objectives))
    if as_json:
        console.print_json_frame(frame)
    else:
        console.print_output(_slo_table(console.frame_to_records(frame)))
    if frame["state"].isin(["burning", "spent"]).any():
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _slo_table(rows: list[dict[str, object]]) -> Table:
    colours = {"burning": "bold red", "spent": "red", "little data": "dim"}
    table = Table("objective", "sync type", "window", "budget used", "burn", "limit", "state", "why")
    for row in rows:
        state = str(row["state"])
        table.add_row(
            Text(str(row["slo"])),
            Text(str(row["sync_type"])),
            Text(f"{row['severity']}, {row['window_syncs']}"),
            _share(row["budget_used"]),
            _burn(row["burn_low"]),
            _burn(row["burn_limit"]),
            Text(state, style=colours.get(state, "green")),
            Text(str(row["reason"])),
        )
    return table


def _share(value: object) -> Text:
    return Text(f"{float(str(value)):.0%}" if value is not None else "–")


def _burn(value: object) -> Text:
    return Text(f"{float(str(value)):.2f}" if value is not None else "–")
