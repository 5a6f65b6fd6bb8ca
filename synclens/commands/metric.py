"""`synclens metric`: list the metrics, or compute one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

import analysis
import ingest
from analysis.metrics import registry
from analysis.metrics.local_days import count_time_zones, measure_by_local_day
from synclens import console
from synclens.options import DEFAULT_STORE, FilterOption, JsonOption, StoreOption, parse_filters
from synclens.tables import frame_table

if TYPE_CHECKING:
    import pandas as pd


def metric(
    name: Annotated[str | None, typer.Argument(help="Metric to compute. Omit to list all metrics.")] = None,
    store: StoreOption = DEFAULT_STORE,
    filters: FilterOption = None,
    local_day: Annotated[
        bool,
        typer.Option("--local-day", help="Group by each user's local day where their time zone is known."),
    ] = False,
    engine: Annotated[Literal["duckdb", "spark"], typer.Option(help="Query engine.")] = "duckdb",
    lake: Annotated[
        Path | None, typer.Option(help="Directory written by `synclens export`, required for Spark.")
    ] = None,
    master: Annotated[str | None, typer.Option(help="Spark master URL (default: local).")] = None,
    connect: Annotated[str | None, typer.Option(help="Spark Connect server, sc://HOST.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a metric, or list all metrics.

    You can also pass your own .sql file; it must start with title, unit and good headers.

    Examples:
      synclens metric success_rate -f platform=iPad -f since=2026-11-01

      synclens metric my_own.sql -f since=2026-11-01

      synclens metric success_rate --engine spark --lake ./lake

    """
    if name is None:
        _list_metrics(as_json)
        return
    parsed_filters = parse_filters(filters)
    if name.endswith(".sql") and engine == "duckdb" and not local_day:
        definition = analysis.Metric.read(name)
    else:
        definition = registry.find_metric(name)
    if engine == "spark":
        if local_day:
            raise typer.BadParameter("--local-day is not available with Spark, which computes UTC days")
        frame = _compute_on_spark(name, parsed_filters, lake, master=master, connect=connect)
    elif lake or master or connect:
        raise typer.BadParameter("--lake, --master and --connect require --engine spark")
    else:
        frame = _compute_on_duckdb(definition, parsed_filters, store, local_day=local_day)
    if as_json:
        console.print_json_frame(frame)
    else:
        console.print_output(frame_table(frame, title=f"{definition.title} ({definition.unit})"))
        console.info(definition.description)


def _compute_on_duckdb(
    definition: analysis.Metric, filters: dict[str, Any], store: Path, *, local_day: bool
) -> pd.DataFrame:
    with ingest.open_store(store) as opened:
        if not local_day:
            return analysis.measure(opened, definition, **filters)
        time_zones = count_time_zones(opened)
        frame = measure_by_local_day(opened, definition.name, **filters)
    console.info(time_zones.describe())
    return frame


def _compute_on_spark(
    name: str, filters: dict[str, Any], lake: Path | None, *, master: str | None, connect: str | None
) -> pd.DataFrame:
    # Imports pandas, and pyspark when a session starts.
    from synclens.spark import SparkStore, spark_session  # noqa: PLC0415

    if lake is None:
        raise typer.BadParameter(
            "--engine spark requires --lake DIR, written by `synclens export --lake DIR`"
        )
    with spark_session(master=master, connect=connect) as session:
        return SparkStore.at(session, lake).measure(name, **filters)


def _list_metrics(as_json: bool) -> None:
    metrics = analysis.METRICS.values()
    if as_json:
        console.print_json([
            {"name": item.name, "title": item.title, "unit": item.unit, "description": item.description}
            for item in metrics
        ])  # fmt: skip
        return
    table = Table("name", "unit", "title")
    for item in metrics:
        table.add_row(item.name, item.unit, item.title)
    console.print_output(table)
