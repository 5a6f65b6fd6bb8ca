import json

import pytest

import analysis
from synclens import cli, console
from synclens.commands import report_card

PROBE = report_card.Path(__file__).with_name("probe.jsonl")


def run(*words):
    with pytest.raises(SystemExit) as left:
        cli.app(["report-card", "--devices", "3", "--days", "2", *map(str, words)])
    return left.value.code


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    page = tmp_path_factory.mktemp("card") / "card.md"
    samples = page.with_name("probe.jsonl")
    samples.write_text(
        "".join(PROBE.read_text(encoding="utf-8").splitlines(keepends=True)[:25]), encoding="utf-8"
    )
    assert run("--samples", samples, "--page", page) == 0
    return page, samples


def test_the_page_says_what_was_known_at_first_look(page):
    text = page[0].read_text(encoding="utf-8")
    for words in (
        "## Simulated events",
        "accuracy by message alone",
        "accuracy on unseen messages, round 1",
        "cause left out: wrong",
    ):
        assert words in text


def test_a_page_that_is_true_passes_and_a_figure_that_moved_is_named(page, capsys):
    path, samples = page
    assert run("--samples", samples, "--page", path, "--check") == 0
    section = report_card.score_labeled_messages(samples)
    assert list(report_card.find_differences(path.read_text(encoding="utf-8"), section)) == []
    moved = path.read_text(encoding="utf-8").replace("| coverage | 1.000 |", "| coverage | 0.500 |")
    path.with_name("moved.md").write_text(moved, encoding="utf-8")
    assert (
        run("--samples", samples, "--page", path.with_name("moved.md"), "--check")
        == console.EXIT_PROBLEM_FOUND
    )
    assert "coverage" in capsys.readouterr().out


def test_what_the_page_says_of_other_messages_stays(page):
    path, samples = page
    other = path.with_name("other.md")
    words = "## Labeled messages: desk\n\n| x | 0.5 |\n"
    other.write_text(f"# Old\n\n## Simulated events\n\n| coverage | 0.1 |\n\n{words}", encoding="utf-8")
    for _ in range(2):
        assert run("--samples", samples, "--page", other) == 0
        assert other.read_text(encoding="utf-8") == f"{path.read_text(encoding='utf-8')}\n{words}"


def test_a_section_that_is_not_in_the_page_is_drift():
    assert "not in the page" in next(report_card.find_differences("# Report card\n", "## Simulated events\n"))


@pytest.mark.parametrize(
    "text", ["not json\n", '{"message": "x"}\n', '{"message": "x", "cause": "no-such"}\n', "[1]\n"]
)
def test_a_file_that_is_no_list_of_labelled_messages_is_refused(tmp_path, text):
    path = tmp_path / "samples.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(analysis.AnalysisError) as caught:
        report_card.score_labeled_messages(path)
    assert caught.value.next_step


def test_every_probe_names_its_cause_and_its_source():
    for line in PROBE.read_text(encoding="utf-8").splitlines():
        probe = json.loads(line)
        assert {probe["cause"], *probe["also"], probe["first_look"]} <= set(analysis.CAUSES)
        assert probe["source"].startswith("https://")


def test_what_was_learned_from_the_probes_is_not_forgotten():
    probes = report_card.score_labeled_messages(PROBE)
    assert report_card._parse_figures(probes)["accuracy"] >= 0.97
