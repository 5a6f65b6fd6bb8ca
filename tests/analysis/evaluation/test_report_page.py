"""The report card as a page: it is written, checked, and keeps the sections of other messages."""

import json
from pathlib import Path

import pytest

import analysis
from synclens import cli, console
from synclens.commands import report_card

pytestmark = pytest.mark.slow

PROBE = Path(__file__).parents[1] / "classification" / "probe.jsonl"


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.app(["report-card", "--devices", "3", "--days", "2", *map(str, arguments)])
    return stopped.value.code


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    page = tmp_path_factory.mktemp("card") / "card.md"
    samples = page.with_name("probe.jsonl")
    samples.write_text(
        "".join(PROBE.read_text(encoding="utf-8").splitlines(keepends=True)[:25]), encoding="utf-8"
    )
    assert run("--samples", samples, "--page", page) == 0
    return page, samples


def test_the_page_has_the_accuracy_on_unseen_messages(page):
    text = page[0].read_text(encoding="utf-8")
    for expected in (
        "## Simulated events",
        "accuracy by message alone",
        "accuracy on unseen messages, round 1",
        "cause left out: wrong",
    ):
        assert expected in text


def test_a_correct_page_passes_and_a_changed_figure_is_reported(page, capsys):
    path, samples = page
    assert run("--samples", samples, "--page", path, "--check") == 0
    section = report_card.score_labeled_messages(samples)
    assert list(report_card.find_differences(path.read_text(encoding="utf-8"), section)) == []
    changed = path.read_text(encoding="utf-8").replace("| coverage | 1.000 |", "| coverage | 0.500 |")
    path.with_name("changed.md").write_text(changed, encoding="utf-8")
    assert (
        run("--samples", samples, "--page", path.with_name("changed.md"), "--check")
        == console.EXIT_PROBLEM_FOUND
    )
    assert "coverage" in capsys.readouterr().out


def test_sections_of_other_messages_are_kept(page):
    path, samples = page
    other = path.with_name("other.md")
    section = "## Labeled messages: desk\n\n| x | 0.5 |\n"
    other.write_text(f"# Old\n\n## Simulated events\n\n| coverage | 0.1 |\n\n{section}", encoding="utf-8")
    for _ in range(2):
        assert run("--samples", samples, "--page", other) == 0
        assert other.read_text(encoding="utf-8") == f"{path.read_text(encoding='utf-8')}\n{section}"


def test_a_section_that_is_missing_from_the_page_is_reported():
    assert "not in the page" in next(report_card.find_differences("# Report card\n", "## Simulated events\n"))


@pytest.mark.parametrize(
    "text", ["not json\n", '{"message": "x"}\n', '{"message": "x", "cause": "no-such"}\n', "[1]\n"]
)
def test_a_file_without_labeled_messages_is_an_error(tmp_path, text):
    path = tmp_path / "samples.jsonl"
    path.write_text(text, encoding="utf-8")
    for read in (report_card.score_labeled_messages, report_card.describe_first_looks):
        with pytest.raises(analysis.AnalysisError) as caught:
            read(path)
    assert caught.value.next_step


def test_every_probe_has_a_cause_and_a_source():
    for line in PROBE.read_text(encoding="utf-8").splitlines():
        probe = json.loads(line)
        assert {probe["cause"], *probe["also"], probe["first_look"]} <= set(analysis.CAUSES)
        assert probe["source"].startswith("https://")


def test_the_accuracy_on_the_probes_does_not_decrease():
    probes = report_card.score_labeled_messages(PROBE)
    assert report_card._parse_figures(probes)["accuracy"] >= 0.97
