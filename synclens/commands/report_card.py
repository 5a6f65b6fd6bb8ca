"""`synclens report-card`: how right the causes are, on simulated and on labelled events, as a page to keep."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

import analysis
import ingest
from analysis.classification.classifier import FIELDS
from analysis.evaluation.report import render_heading, render_section
from analysis.evaluation.scores import leave_one_cause_out, score_findings
from ingest.config_records import ContextRow
from sync_engine.simulator.fleet.fleet import START
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import SCENARIOS, load_scenario
from sync_engine.telemetry import Telemetry
from synclens import console
from synclens.engine_configuration import configuration_rows

PAGE = Path("docs/report-card.md")
# No rule was written while looking at these worlds: tests and the demonstration play other seeds.
SEED, DEVICES, DAYS = 6203, 12, 6
DRIFT = 0.02
"""How far a figure of the page may be from today's before `--check` calls it drift."""

_FIGURE = re.compile(r"^\| ([a-zA-Z][^|]*?) \| ([\d.]+) \|$", re.MULTILINE)
_TRUTH = """
SELECT t.cause AS truth, f.cause, f.confidence, e.*
FROM engine_truth.event_cause AS t JOIN finding AS f USING (event_id) JOIN sync_error AS e USING (event_id)
ORDER BY event_id
"""
_NOTE = """
How to read it: right is the labelled cause, or one that the evidence supports as well. `first look` is the share
that was right when the messages were met for the first time, before any rule was written with them in view: the
honest estimate for messages nobody has seen. The other figures of labelled messages say that the rules hold what
they learned, not how they will do on new ones. `forgotten, then unknown` takes the rules of a cause away and asks
how many of its events are then called unknown; `forgotten, then wrong` how many get a cause nothing supports.
"""


def report_card(
    samples: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled messages, one JSON object a line: message, error_type, …, cause, also."),
    ] = None,
    page: Annotated[Path, typer.Option(help="The page to write, or to compare with.")] = PAGE,
    check: Annotated[bool, typer.Option("--check", help="Compare with the page; exit 1 on drift.")] = False,
    seed: Annotated[int, typer.Option(help="The seed of the simulated worlds.")] = SEED,
    devices: Annotated[int, typer.Option(min=1, help="How many devices sync in each of them.")] = DEVICES,
    days: Annotated[int, typer.Option(min=1, help="How many days.")] = DAYS,
) -> None:
    """Score the causes where the truth is known: in every scenario of the simulator, and on labelled messages.

    The page keeps what it says of labelled messages that are not named this time.

    Examples:
      synclens report-card --samples tests/analysis/classification/probe.jsonl

      synclens report-card --samples tests/analysis/classification/probe.jsonl --check

    """
    written = page.read_text(encoding="utf-8") if page.exists() else ""
    sections = [simulated(seed, devices, days), *(labelled(path) for path in samples or [])]
    if check:
        drifts = [drift for text in sections for drift in drifts_from(written, text)]
        for drift in drifts:
            console.print_output(drift)
        if drifts:
            raise typer.Exit(console.EXIT_PROBLEM_FOUND)
        console.info(f"{page} still tells the truth.")
        return
    page.write_text(
        "\n".join([render_heading() + _NOTE, *sections, *others(written, sections)]), encoding="utf-8"
    )
    console.info(f"Wrote {page}.")


def others(page: str, sections: list[str]) -> list[str]:
    """The sections of a page on labelled messages that are not among `sections`."""
    titles = {text.splitlines()[0] for text in sections}
    known = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    return [
        f"{text.rstrip()}\n"
        for text in known
        if text.startswith("## Labelled messages: ") and text.splitlines()[0] not in titles
    ]


def simulated(seed: int, devices: int, days: int) -> str:
    """Play every scenario at `seed` and score the findings, with context and by message alone."""
    with tempfile.TemporaryDirectory() as folder:
        names = sorted(SCENARIOS)
        frames = [_played(Path(folder) / f"{name}.duckdb", name, seed, devices, days) for name in names]
    events = pd.concat(frames, ignore_index=True)
    alone = analysis.classify(events[list(FIELDS)])["cause"]
    more = {"accuracy by message alone": f"{(alone == events['truth']).mean():.3f}"}
    more |= _forgotten(events, events["truth"], [[]] * len(events))
    return render_section("Simulated events", score_findings(events["truth"], events), more)


def labelled(path: Path) -> str:
    """Score the classification of labelled messages. Raises IngestError where the file is not such a list."""
    events = _read(path)
    also = events["also"].tolist()
    more = _first_look(events) | _forgotten(events, events["cause"], also)
    return render_section(
        f"Labelled messages: {path.stem}",
        score_findings(events["cause"], analysis.classify(events), also),
        more,
    )


def drifts_from(page: str, text: str) -> Iterator[str]:
    """Each figure of the section `text` that the page does not have, or has more than DRIFT away."""
    title = text.splitlines()[0]
    _, found, rest = page.partition(f"{title}\n")
    if not found:
        yield f"{title.removeprefix('## ')} is not in the page: write it again without --check"
        return
    before = _figures(rest.partition("\n## ")[0])
    for name, value in _figures(text).items():
        if name not in before or abs(value - before[name]) > DRIFT:
            yield f"{title.removeprefix('## ')}: {name} is {value:g}, the page says {before.get(name, 'nothing')}"


def _figures(text: str) -> dict[str, float]:
    table = text.partition("\n### ")[0]
    return {name: float(value) for name, value in _FIGURE.findall(table) if name != "events"}


def _played(path: Path, name: str, seed: int, devices: int, days: int) -> pd.DataFrame:
    context: list[Telemetry | ContextRow] = []
    end = START + timedelta(days=days)
    rows: list[Telemetry | ContextRow] = list(
        simulate_fleet(
            scenario=load_scenario(name),
            seed=seed,
            device_count=devices,
            days=days,
            on_end=lambda vault: context.extend(configuration_rows(vault, end)),
        )
    )
    with ingest.open_store(path, read_only=False) as store:
        ingest.append(store, rows + context, source=name, started_at=end, clock=lambda: end)
        analysis.update_findings(store)
        return store.execute(_TRUTH).df()


def _read(path: Path) -> pd.DataFrame:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        events = pd.DataFrame(rows)
        missing = {"message", "cause"} - set(events.columns)
    except ValueError as error:
        raise _not_labelled(path, str(error)) from error
    if missing:
        raise _not_labelled(path, f"without {' and '.join(sorted(missing))}")
    strangers = sorted(set(events["cause"]) - set(analysis.CAUSES))
    if strangers:
        raise _not_labelled(path, f"with causes that do not exist: {', '.join(strangers)}")
    if "also" not in events:
        events["also"] = [[] for _ in range(len(events))]
    return events


def _not_labelled(path: Path, what: str) -> analysis.AnalysisError:
    return analysis.AnalysisError(
        f"{path} is not a list of labelled messages: {what}",
        next_step='Write one JSON object a line, e.g. {"message": "…", "cause": "network", "also": []}.',
    )


def _first_look(events: pd.DataFrame) -> dict[str, str]:
    if not {"round", "first_look"} <= set(events.columns):
        return {}
    met = events.dropna(subset=["round", "first_look"])
    right = [
        look == cause or look in also
        for look, cause, also in zip(met["first_look"], met["cause"], met["also"], strict=True)
    ]
    by_round = pd.Series(right, index=met["round"].astype(int).to_numpy()).groupby(level=0)
    return {
        f"first look, round {number} ({len(of_it)} messages)": f"{of_it.mean():.3f}"
        for number, of_it in by_round
    }


def _forgotten(events: pd.DataFrame, truth: pd.Series, also: list[list[str]]) -> dict[str, str]:
    out = leave_one_cause_out(events, truth, also)
    weight = out["events"] / out["events"].sum()
    return {
        "forgotten, then unknown": f"{(out['share_unknown'] * weight).sum():.3f}",
        "forgotten, then wrong": f"{(out['share_wrong'] * weight).sum():.3f}",
    }
