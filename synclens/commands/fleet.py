"""`synclens fleet`: who is stuck, silent, stale, over a limit, out of date."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import pandas as pd
import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.fleet.devices import STATUSES
from dashboard.escaping import escape_formulas
from synclens import console
from synclens.options import DEFAULT_STORE, StoreOption

_SHOWN = ("device", "user_id", "app_version", "last_success", "pending_in_error", "why")


def fleet(
    store: StoreOption = DEFAULT_STORE,
    status: Annotated[
        list[str] | None, typer.Option(help=f"Only devices with this problem: {', '.join(STATUSES)}.")
    ] = None,
    user: Annotated[list[str] | None, typer.Option(help="Only the devices of this user (id).")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also the devices without a problem.")] = False,
    form: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How to print it.")
    ] = "table",
    most: Annotated[int, typer.Option(help="How many rows the table shows.", min=1)] = 50,
) -> None:
    """List the devices in trouble, the worst first, and say in words what is wrong with each.

    Example: synclens fleet --status stuck --status silent --format csv > call-these.csv
    """
    for name in status or []:
        if name not in STATUSES:
            raise typer.BadParameter(f"{name!r} is none of: {', '.join(STATUSES)}", param_hint="--status")
    with ingest.open_store(store) as opened:
        frame = analysis.list_devices(opened, user_id=user or None)
    known = len(frame)
    frame = _chosen(frame, status or [], every=every or bool(user))
    if form == "json":
        console.print_json_frame(frame)
    elif form == "csv":
        lists = frame["problems"].map("; ".join)
        sys.stdout.write(escape_formulas(frame.assign(problems=lists)).to_csv(index=False))
    else:
        _show(frame, known, most)


def _chosen(frame: pd.DataFrame, status: list[str], *, every: bool) -> pd.DataFrame:
    if status:
        wanted = set(status)
        frame = frame[[bool(wanted & set(problems)) for problems in frame["problems"]]]
    elif not every:
        frame = frame[frame["status"] != "ok"]
    return frame.reset_index(drop=True)


def _show(frame: pd.DataFrame, known: int, most: int) -> None:
    table = Table("status")
    for name in _SHOWN:  # an id that is cut short cannot be looked up
        table.add_column(name.replace("_", " "), no_wrap=name in ("device", "user_id"), overflow="fold")
    for row in console.frame_to_records(frame.head(most)):
        row["last_success"] = row["last_success"] and row["last_success"][:16].replace("T", " ")
        cells = ("–" if row[name] is None else str(row[name]) for name in _SHOWN)
        table.add_row(
            Text(row["status"], style="green" if row["status"] == "ok" else "red"), *map(Text, cells)
        )
    console.print_output(table)
    hidden = f", the first {most} shown" if len(frame) > most else ""
    console.info(
        f"{len(frame)} of {known} devices{hidden}. `synclens fleet --all` lists every one, "
        "`synclens history DEVICE` tells what happened to one."
    )
