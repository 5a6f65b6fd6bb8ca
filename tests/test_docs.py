"""What the documents say can be done is done here."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import typer.main

from synclens import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(cli.app)


def commands_in(page):
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^\$ (synclens .+)$", text, re.MULTILINE)
    return fenced + re.findall(r"`(synclens [a-z][^`\n]*)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page):
    for line in commands_in(page):
        words = [word for word in shlex.split(line.replace("…", ""))[1:] if not word.startswith("-")]
        group = COMMANDS
        for word in words[:2]:
            known = getattr(group, "commands", None)
            if known is None:
                break
            assert word in known, f"{page.name} says `{line}`; there is {', '.join(sorted(known))}"
            group = known[word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_the_readme_session_runs(monkeypatch, capsys, tmp_path):
    """The session's commands run as they stand, and the readme's words are in what they print."""
    monkeypatch.setenv("SYNCLENS_STORE", str(tmp_path / "session.duckdb"))
    monkeypatch.setenv("COLUMNS", "80")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    printed = ""
    for line in re.findall(r"^\$ (synclens .+)$", readme, re.MULTILINE):
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        printed += capsys.readouterr().out
    (session,) = re.findall(r"```console\n(.*?)```", readme, re.DOTALL)
    told = [line for line in session.splitlines() if line and not line.startswith("$") and line != "…"]
    assert " ".join(" ".join(told).split()) != ""
    words = " ".join(printed.split())
    missing = [line for line in told if " ".join(line.split()) not in words]
    assert not missing
