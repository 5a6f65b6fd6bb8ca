"""`synclens metric`, `issues`, `explain-error`: questions to a store, answered by `analysis`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import typer
from rich.table import Table
from rich.text import Text

import analysis
import ingest
from analysis.metrics import registry
from analysis.metrics.local_days import known_clocks, measure_by_local_day
from synclens import console
from synclens.issue_id_prefix import ask_of_issue
from synclens.settings import DEFAULT_STORE, JsonOption, StoreOption
from synclens.spark import LakeOnSpark, spark_session

FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="NAME=VALUE, as often as you like, e.g. -f platform=iPad"),
]


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
        described = registry.metric(name)
    if engine == "spark":
        if local_day:
            raise typer.BadParameter("--local-day needs the store; Spark computes UTC days")
        frame = _on_spark(name, chosen, lake, master=master, connect=connect)
    elif lake or master or connect:
        raise typer.BadParameter("--lake, --master and --connect need --engine spark")
    else:
        frame = _on_duckdb(described, chosen, store, local_day=local_day)
    if as_json:
        console.emit_frame(frame)
    else:
        console.show(frame_table(frame, title=f"{described.title} ({described.unit})"))
        console.say(described.about)


def issues(
    query: Annotated[
        str, typer.Argument(help="field:value, -field:value and comparisons, e.g. 'cause:network users>3'")
    ] = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    most: Annotated[int, typer.Option(help="How many rows to show.")] = 30,
) -> None:
    """List the issues, those that stop most people first.

    Example: synclens issues 'cause:field-permission users>=2'
    """
    with ingest.open_store(store) as opened:
        frame = analysis.list_issues(opened, query=query)
    if as_json:
        console.emit_frame(frame)
        return
    table = Table(title=f"{len(frame)} issues", title_justify="left", box=None, expand=True)
    for column in ("issue", "cause", "since (UTC)"):
        table.add_column(column, no_wrap=True)
    for column in ("people", "errors"):
        table.add_column(column, justify="right")
    table.add_column("what", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in console.records(frame.head(most)):
        since = row["first_seen"][5:16].replace("T", " ")
        counts = (str(row["users"]), str(row["events"]))
        table.add_row(row["issue_id"], row["cause"], since, *counts, Text(row["title"]))
    console.show(table)


def issue(
    issue_id: Annotated[str, typer.Argument(help="An issue id from `synclens issues`.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show one issue whole: who it hits, its sample events, and the fix with this case's evidence.

    Example: synclens issue 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        found = ask_of_issue(opened, issue_id, lambda known: analysis.issue(opened, known))
        suggestion = analysis.suggest_fix(opened, str(found.summary["issue_id"]))
    frames = ("variants", "users", "devices", "records", "events")
    if as_json:
        parts = {name: console.records(getattr(found, name)) for name in frames}
        console.emit({"summary": found.summary, **parts, "fix": suggestion.to_dict()})
        return
    console.show(Text(f"{found.summary['title']}\n", style="bold"))
    console.show(Text(f"{suggestion.as_text()}\n"))
    sample = found.events[["event_id", "occurred_at", "user_id", "message"]]
    console.show(frame_table(sample, title="Newest events", most=5))


def explain_error(
    event_id: Annotated[str, typer.Argument(help="The event_id of one error event.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with one error, why we think so, and what to do about it.

    Example: synclens explain-error e-660a804a5c643519
    """
    with ingest.open_store(store) as opened:
        row = console.records(analysis.error_event(opened, event_id))[0]
        suggestion = analysis.suggest_fix(opened, row["issue_id"])
    if as_json:
        console.emit({"event": row, "fix": suggestion.to_dict()})
        return
    _show_explained(row, suggestion)


def parse_filters(pairs: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as keyword arguments; a name given twice becomes a list."""
    parsed: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
        if name in parsed:
            before = parsed[name]
            parsed[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            parsed[name] = value
    return parsed


def frame_table(frame: pd.DataFrame, *, title: str, most: int = 50) -> Table:
    """A frame as a terminal table; text is shown as it is, numbers are aligned and rounded."""
    table = Table(title=title)
    for column in frame.columns:
        table.add_column(str(column), justify="right" if _is_number(frame[column]) else "left")
    for row in console.records(frame.head(most)):
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    if len(frame) > most:
        table.caption = f"the first {most} of {len(frame)} rows; --json prints all"
    return table


def _on_duckdb(
    asked: analysis.Metric, chosen: dict[str, Any], store: Path, *, local_day: bool
) -> pd.DataFrame:
    with ingest.open_store(store) as opened:
        if not local_day:
            return analysis.measure(opened, asked, **chosen)
        clocks = known_clocks(opened)
        frame = measure_by_local_day(opened, asked.name, **chosen)
    console.say(clocks.in_words())
    return frame


def _on_spark(
    name: str, chosen: dict[str, Any], lake: Path | None, *, master: str | None, connect: str | None
) -> pd.DataFrame:
    if lake is None:
        raise typer.BadParameter("--engine spark needs --lake DIR, which `synclens export --lake DIR` writes")
    with spark_session(master=master, connect=connect) as session:
        return LakeOnSpark.at(session, lake).measure(name, **chosen)


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _list_metrics(as_json: bool) -> None:
    if as_json:
        console.emit([
            {"name": m.name, "title": m.title, "unit": m.unit, "about": m.about}
            for m in analysis.METRICS.values()
        ])  # fmt: skip
        return
    table = Table("name", "unit", "what it is")
    for described in analysis.METRICS.values():
        table.add_row(described.name, described.unit, described.title)
    console.show(table)


def _show_explained(event: dict[str, Any], suggestion: analysis.Suggestion) -> None:
    lines = [
        ("message", event["message"] or "(none)"),
        ("where", " · ".join(str(event[k]) for k in ("object", "field", "operation", "phase") if event[k])),
        ("cause", f"{event['cause']} ({event['confidence']:.0%}), by rule {event['rule']}"),
        ("also possible", ", ".join(event["also"] or []) or "–"),
        ("issue", event["issue_id"]),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(Text(name, style="bold"), Text(value))
    for sentence in event["evidence"] or []:
        table.add_row(Text("evidence", style="bold"), Text(sentence))
    console.show(table)
    console.show(Text(f"\n{suggestion.as_text()}"))
