"""`synclens metric`: list the metrics, or compute one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import typer
from rich.table import Table

import analysis
import ingest
from analysis.metrics import registry
from analysis.metrics.local_days import count_time_zones, measure_by_local_day
from synclens import console
from synclens.options import DEFAULT_STORE, FilterOption, JsonOption, StoreOption, parse_filters
from synclens.spark import SparkStore, spark_session
from synclens.tables import frame_table


def metric(
    name: Annotated[str | None, typer.Argument(help="Which metric; without it they are listed.")] = None,
    store: StoreOption = DEFAULT_STORE,
    filters: FilterOption = None,
    local_day: Annotated[
        bool, typer.Option("--local-day", help="Days as on the clock of each person, where it is known.")
    ] = False,
    engine: Annotated[Literal["duckdb", "spark"], typer.Option(help="What computes it.")] = "duckdb",
    lake: Annotated[Path | None, typer.Option(help="With Spark: what `synclens export` wrote.")] = None,
    master: Annotated[
        str | None, typer.Option(help="With Spark: its master; this machine unless given.")
    ] = None,
    connect: Annotated[
        str | None, typer.Option(help="With Spark: a Spark Connect server, sc://HOST.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute one metric; without a name, list all of them with their meaning.

    A file of your own counts too: its first lines say title, unit and what is good, as those of `synclens metric`.

    Example: synclens metric success_rate -f platform=iPad -f since=2026-11-01
    Example: synclens metric my_own.sql -f since=2026-11-01
    Example: synclens metric success_rate --engine spark --lake ./lake
    """
    if name is None:
        _list_metrics(as_json)
        return
    chosen = parse_filters(filters)
    if name.endswith(".sql") and engine == "duckdb" and not local_day:
        described = analysis.Metric.read(name)
    else:
        described = registry.find_metric(name)
    if engine == "spark":
        if local_day:
            raise typer.BadParameter("--local-day needs the store; Spark computes UTC days")
        frame = _on_spark(name, chosen, lake, master=master, connect=connect)
    elif lake or master or connect:
        raise typer.BadParameter("--lake, --master and --connect need --engine spark")
    else:
        frame = _on_duckdb(described, chosen, store, local_day=local_day)
    if as_json:
        console.print_json_frame(frame)
    else:
        console.print_output(frame_table(frame, title=f"{described.title} ({described.unit})"))
        console.info(described.description)


def _on_duckdb(
    asked: analysis.Metric, chosen: dict[str, Any], store: Path, *, local_day: bool
) -> pd.DataFrame:
    with ingest.open_store(store) as opened:
        if not local_day:
            return analysis.measure(opened, asked, **chosen)
        clocks = count_time_zones(opened)
        frame = measure_by_local_day(opened, asked.name, **chosen)
    console.info(clocks.describe())
    return frame


def _on_spark(
    name: str, chosen: dict[str, Any], lake: Path | None, *, master: str | None, connect: str | None
) -> pd.DataFrame:
    if lake is None:
        raise typer.BadParameter("--engine spark needs --lake DIR, which `synclens export --lake DIR` writes")
    with spark_session(master=master, connect=connect) as session:
        return SparkStore.at(session, lake).measure(name, **chosen)


def _list_metrics(as_json: bool) -> None:
    if as_json:
        console.print_json([
            {"name": m.name, "title": m.title, "unit": m.unit, "about": m.description}
            for m in analysis.METRICS.values()
        ])  # fmt: skip
        return
    table = Table("name", "unit", "what it is")
    for described in analysis.METRICS.values():
        table.add_row(described.name, described.unit, described.title)
    console.print_output(table)
