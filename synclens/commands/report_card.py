"""`synclens report-card`: measure the accuracy of the classification and write it to a page."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

import analysis
import ingest
from analysis.classification.classifier import FIELDS
from analysis.evaluation.report import render_first_looks, render_heading, render_section
from analysis.evaluation.scores import leave_one_cause_out, score_findings
from ingest.config_records import ContextRow
from sync_engine.simulator.fleet.fleet import START
from sync_engine.simulator.fleet.run import simulate_fleet
from sync_engine.simulator.fleet.scenario import SCENARIOS, load_scenario
from sync_engine.simulator.fleet.wordings import reword_errors
from sync_engine.telemetry import Telemetry
from synclens import console
from synclens.engine_configuration import configuration_rows
from synclens.scenario_option import require_scenarios

PAGE = Path("docs/report-card.md")
# No rule was written with this seed in view: tests and the demo use other seeds.
SEED, DEVICES, DAYS = 6203, 12, 6
DRIFT = 0.02
"""Largest difference between a figure on the page and the current one that `--check` accepts."""

_FIRST_LOOKS_TITLE = "## First looks"
_FIGURE = re.compile(r"^\| ([a-zA-Z][^|]*?) \| ([\d.]+) \|$", re.MULTILINE)
_TRUTH = """
SELECT t.cause AS truth, f.cause, f.confidence, e.*
FROM engine_truth.event_cause AS t JOIN finding AS f USING (event_id) JOIN sync_error AS e USING (event_id)
ORDER BY event_id
"""
_NOTE = """
A classification is correct if it is the labeled cause, or another cause that the evidence supports. `accuracy on
unseen messages` was measured before any rule was written for these messages; it estimates the accuracy on new
messages. The other figures of labeled messages show only that the rules still match the messages they were written
for. For `cause left out`, the rules of each cause are removed in turn: `unknown` is the share of its events that then
have no cause, `wrong` the share that get an unsupported one.
"""


def report_card(
    samples: Annotated[
        list[Path] | None,
        typer.Option(help="Labeled messages (.jsonl) with message, error_type, …, cause, also. Repeatable."),
    ] = None,
    first_looks: Annotated[
        Path | None,
        typer.Option(help="Messages with the findings of before anybody looked at the mistakes (.jsonl)."),
    ] = None,
    page: Annotated[Path, typer.Option(help="Page to write, or to compare with.")] = PAGE,
    check: Annotated[
        bool, typer.Option("--check", help="Compare the figures with the page. Exits 1 if they differ.")
    ] = False,
    scenario: Annotated[
        list[str] | None,
        typer.Option(callback=require_scenarios, help="Scenario to simulate (default: all). Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the simulations.")] = SEED,
    devices: Annotated[int, typer.Option(min=1, help="Number of devices per simulation.")] = DEVICES,
    days: Annotated[int, typer.Option(min=1, help="Number of days per simulation.")] = DAYS,
) -> None:
    """Measure the classification on simulated errors and on labeled messages.

    Sections on labeled messages that are not passed this time stay on the page.

    Examples:
      synclens report-card --samples probe.jsonl --first-looks first_looks.jsonl

      synclens report-card --samples probe.jsonl --first-looks first_looks.jsonl --check

    """
    page_text = page.read_text(encoding="utf-8") if page.exists() else ""
    scenarios = scenario or sorted(SCENARIOS)
    sections = [
        *([describe_first_looks(first_looks)] if first_looks else []),
        score_simulations(scenarios, seed, devices, days),
        score_rewordings(scenarios, seed, devices, days),
        *(score_labeled_messages(path) for path in samples or []),
    ]
    if check:
        differences = [line for section in sections for line in find_differences(page_text, section)]
        for line in differences:
            console.print_output(line)
        if differences:
            raise typer.Exit(console.EXIT_PROBLEM_FOUND)
        console.info(f"{page} matches the current figures.")
        return
    page.write_text(
        "\n".join([render_heading() + _NOTE, *sections, *other_sections(page_text, sections)]),
        encoding="utf-8",
    )
    console.info(f"Wrote {page}.")


def other_sections(page_text: str, sections: list[str]) -> list[str]:
    """Return the page's sections on messages that are not among `sections`."""
    titles = {text.splitlines()[0] for text in sections}
    existing = re.split(r"^(?=## )", page_text, flags=re.MULTILINE)
    return [
        f"{text.rstrip()}\n"
        for text in existing
        if text.startswith((_FIRST_LOOKS_TITLE, "## Labeled messages: "))
        and text.splitlines()[0] not in titles
    ]


def describe_first_looks(path: Path) -> str:
    """Render what was found in unseen messages. Raises AnalysisError if the file has another format."""
    return render_first_looks(_read_records(path, ("message", "cause", "round", "language", "rules")))


def score_simulations(scenarios: Sequence[str], seed: int, devices: int, days: int) -> str:
    """Simulate the scenarios and score their findings, with context and by message alone."""
    with tempfile.TemporaryDirectory() as folder:
        frames = [
            _simulate_scenario(Path(folder) / f"{name}.duckdb", name, seed, devices, days)
            for name in scenarios
        ]
    events = pd.concat(frames, ignore_index=True)
    by_message = analysis.classify(events[list(FIELDS)])["cause"]
    figures = {"accuracy by message alone": f"{(by_message == events['truth']).mean():.3f}"}
    figures |= _leave_one_out(events, events["truth"], [[]] * len(events))
    return render_section("Simulated events", score_findings(events["truth"], events), figures)


def score_rewordings(scenarios: Sequence[str], seed: int, devices: int, days: int) -> str:
    """Score the same simulations with the texts of other apps in 13 languages and without codes.

    No rule was written from these texts, and no sentence model was fitted to them.
    """
    with tempfile.TemporaryDirectory() as folder:
        frames = [
            _simulate_scenario(Path(folder) / f"{name}.duckdb", name, seed, devices, days, reworded=True)
            for name in scenarios
        ]
    events = pd.concat(frames, ignore_index=True)
    texts = events.drop_duplicates(["truth", "message"])
    by_rules = analysis.classify(texts[["message"]], rules_only=True)["cause"]
    by_message = analysis.classify(texts[["message"]])["cause"]
    figures = {
        "distinct texts": f"{len(texts)}",
        "accuracy by message alone, each text once": f"{(by_message == texts['truth']).mean():.3f}",
        "accuracy by rules alone, each text once": f"{(by_rules == texts['truth']).mean():.3f}",
    }
    return render_section("Simulated events in other words", score_findings(events["truth"], events), figures)


def score_labeled_messages(path: Path) -> str:
    """Score the classification of labeled messages. Raises AnalysisError if the file has another format."""
    events = _read_labeled_messages(path)
    also = events["also"].tolist()
    figures = _accuracy_when_unseen(events) | _leave_one_out(events, events["cause"], also)
    return render_section(
        f"Labeled messages: {path.stem}",
        score_findings(events["cause"], analysis.classify(events, rules_only=True), also),
        figures,
    )


def find_differences(page_text: str, section: str) -> Iterator[str]:
    """Yield a line for each figure of a section that the page lacks, or that differs by more than DRIFT.

    First looks are records: they do not drift, so their section must be the same.
    """
    title = section.splitlines()[0]
    _, heading, remainder = page_text.partition(f"{title}\n")
    if not heading:
        yield f"{title.removeprefix('## ')} is not in the page; write the page again without --check"
        return
    if title == _FIRST_LOOKS_TITLE and section not in page_text:
        yield "First looks is not as recorded; write the page again without --check"
    before = _parse_figures(remainder.partition("\n## ")[0])
    for name, value in _parse_figures(section).items():
        if name not in before or abs(value - before[name]) > DRIFT:
            yield f"{title.removeprefix('## ')}: {name} is {value:g}, the page has {before.get(name, 'no value')}"


def _parse_figures(text: str) -> dict[str, float]:
    table = text.partition("\n### ")[0]
    counts = ("events", "distinct texts")
    return {name: float(value) for name, value in _FIGURE.findall(table) if name not in counts}


def _simulate_scenario(
    path: Path, name: str, seed: int, devices: int, days: int, *, reworded: bool = False
) -> pd.DataFrame:
    context: list[Telemetry | ContextRow] = []
    end = START + timedelta(days=days)
    telemetry = simulate_fleet(
        scenario=load_scenario(name),
        seed=seed,
        device_count=devices,
        days=days,
        on_end=lambda vault: context.extend(configuration_rows(vault, end)),
    )
    rows = list(reword_errors(telemetry, seed) if reworded else telemetry)
    with ingest.open_store(path, read_only=False) as store:
        ingest.append(store, [*rows, *context], source=name, started_at=end, clock=lambda: end)
        analysis.update_findings(store)
        return store.execute(_TRUTH).df()


def _read_labeled_messages(path: Path) -> pd.DataFrame:
    records = [record | {"also": record.get("also") or []} for record in _read_records(path)]
    return pd.DataFrame(records)


def _read_records(path: Path, required: tuple[str, ...] = ("message", "cause")) -> list[dict[str, Any]]:
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise _format_error(path, str(error)) from error
    if not all(isinstance(record, dict) for record in records):
        raise _format_error(path, "a line is not a JSON object")
    missing = {name for name in required for record in records if name not in record}
    if missing or not records:
        raise _format_error(path, f"{' and '.join(sorted(missing)) or 'messages'} missing")
    unknown_causes = sorted({str(record["cause"]) for record in records} - set(analysis.CAUSES))
    if unknown_causes:
        raise _format_error(path, f"unknown causes {', '.join(unknown_causes)}")
    return records


def _format_error(path: Path, reason: str) -> analysis.AnalysisError:
    return analysis.AnalysisError(
        f"{path} is not a file of labeled messages: {reason}",
        next_step='Write one JSON object per line, e.g. {"message": "…", "cause": "network", "also": []}.',
    )


def _accuracy_when_unseen(events: pd.DataFrame) -> dict[str, str]:
    if not {"round", "first_look"} <= set(events.columns):
        return {}
    rounds = events.dropna(subset=["round", "first_look"])
    correct = [
        first_cause == cause or first_cause in also
        for first_cause, cause, also in zip(
            rounds["first_look"], rounds["cause"], rounds["also"], strict=True
        )
    ]
    by_round = pd.Series(correct, index=rounds["round"].astype(int).to_numpy()).groupby(level=0)
    return {
        f"accuracy on unseen messages, round {number} ({len(group)} messages)": f"{group.mean():.3f}"
        for number, group in by_round
    }


def _leave_one_out(events: pd.DataFrame, truth: pd.Series, also: list[list[str]]) -> dict[str, str]:
    scores = leave_one_cause_out(events, truth, also)
    weight = scores["events"] / scores["events"].sum()
    return {
        "cause left out: unknown": f"{(scores['share_unknown'] * weight).sum():.3f}",
        "cause left out: wrong": f"{(scores['share_wrong'] * weight).sum():.3f}",
    }
