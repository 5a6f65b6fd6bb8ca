"""`synclens fleet`: list devices that are stuck, silent, stale, over a limit, or outdated."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.base.spreadsheet import escape_formulas
from analysis.fleet.devices import STATUSES
from synclens import console
from synclens.options import DEFAULT_STORE, LimitOption, StoreOption
from synclens.tables import format_minute

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("device", "user_id", "app_version", "last_success", "pending_in_error", "why")


def fleet(
    store: StoreOption = DEFAULT_STORE,
    status: Annotated[
        list[str] | None, typer.Option(help=f"Only devices with this problem ({', '.join(STATUSES)}).")
    ] = None,
    user: Annotated[list[str] | None, typer.Option(help="Only the devices of this user id.")] = None,
    include_healthy: Annotated[
        bool, typer.Option("--all", help="Include devices without a problem.")
    ] = False,
    output_format: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="Output format.")
    ] = "table",
    limit: LimitOption = 50,
) -> None:
    """List the devices with sync problems, the worst first, each with the reason.

    Example: synclens fleet --status stuck --status silent --format csv > call-these.csv
    """
    for name in status or []:
        if name not in STATUSES:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(STATUSES)}", param_hint="--status")
    with ingest.open_store(store) as opened:
        user_ids = [ingest.canonical_id(opened, each) for each in user or []]
        devices = analysis.list_devices(opened, user_id=user_ids or None)
    selected = _select_devices(devices, status or [], include_healthy=include_healthy or bool(user))
    if output_format == "json":
        console.print_json_frame(selected)
    elif output_format == "csv":
        problems = selected["problems"].map("; ".join)
        sys.stdout.write(escape_formulas(selected.assign(problems=problems)).to_csv(index=False))
    else:
        _print_table(selected, len(devices), limit)


def _select_devices(devices: pd.DataFrame, status: list[str], *, include_healthy: bool) -> pd.DataFrame:
    if status:
        requested = set(status)
        devices = devices[[bool(requested & set(problems)) for problems in devices["problems"]]]
    elif not include_healthy:
        devices = devices[devices["status"] != "ok"]
    return devices.reset_index(drop=True)


def _print_table(devices: pd.DataFrame, total: int, limit: int) -> None:
    table = Table("status")
    for name in _COLUMNS:  # an id is never cut, so that it can be copied
        table.add_column(name.replace("_", " "), no_wrap=name in ("device", "user_id"), overflow="fold")
    for row in console.frame_to_records(devices.head(limit)):
        row["last_success"] = row["last_success"] and format_minute(row["last_success"])
        cells = ("–" if row[name] is None else str(row[name]) for name in _COLUMNS)
        style = "green" if row["status"] == "ok" else "red"
        table.add_row(Text(row["status"], style=style), *map(Text, cells))
    console.print_output(table)
    shown = f", the first {limit} shown" if len(devices) > limit else ""
    console.info(
        f"{len(devices)} of {total} devices{shown}. `synclens fleet --all` lists all devices, "
        "`synclens history DEVICE` shows the events of one."
    )
