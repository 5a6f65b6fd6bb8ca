"""Run the commands and code of the documentation, and check its links and names."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import analysis
from synclens import cli

ROOT = Path(__file__).parents[2]
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
            subcommands = getattr(group, "commands", None)
            if subcommands is None:
                break
            assert word in subcommands, (
                f"{page.name} shows `{line}`; commands: {', '.join(sorted(subcommands))}"
            )
            group = subcommands[word]
        options = {option for one in group.params for option in (*one.opts, *one.secondary_opts)}
        used = {word.partition("=")[0] for word in shlex.split(line.partition("|")[0]) if word[:2] == "--"}
        assert used <= options | {"--help", "--install-completion", "--show-completion"}, (
            f"{page.name}: `{line}`"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target and "reference/" not in target:  # generated; the site's build looks at those
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_repository_file_that_a_page_names_exists(page):
    named = re.findall(
        r"`((?:analysis|benchmarks|dashboard|deploy|docs|ingest|notebooks|sync_engine|synclens|tests)/[\w./*-]+)`",
        page.read_text(encoding="utf-8"),
    )
    missing = [name for name in named if not any(ROOT.glob(name.rstrip("/").replace("NNNN", "*")))]
    assert not missing, f"{page.name} names {', '.join(missing)}"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Return a function that runs one line of a session in an empty folder and returns its output."""
    monkeypatch.setenv("SYNCLENS_STORE", str(tmp_path / "session.duckdb"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run_line(line):
        if not line.startswith("synclens "):
            subprocess.run(line, shell=True, check=True)  # an echo into a file
            return ""
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code, line
        return capsys.readouterr().out

    return run_line


@pytest.mark.docs
def test_the_readme_session_runs(run):
    """The commands of the session run unchanged, and print every line that the README shows."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    printed = "".join(run(line) for line in re.findall(r"^\$ (synclens .+)$", readme, re.MULTILINE))
    (session,) = re.findall(r"```console\n(.*?)```", readme, re.DOTALL)
    shown = [line for line in session.splitlines() if line and not line.startswith("$") and line != "…"]
    assert " ".join(" ".join(shown).split()) != ""
    words = " ".join(printed.split())
    missing = [line for line in shown if " ".join(line.split()) not in words]
    assert not missing


@pytest.mark.docs
def test_the_tutorial_can_be_followed(run):
    """Each command of the tutorial does what the next one needs; triage prints the ids that it goes on with."""
    lines = re.findall(r"^\$ (.+)$", (ROOT / "docs" / "tutorial.md").read_text("utf-8"), re.MULTILINE)
    assert len(lines) >= 6
    triage = None
    for line in lines:
        for issue in re.findall(r"\b[0-9a-f]{12}\b", line):
            assert issue in triage
        printed = run(line)
        if line == "synclens triage":
            triage = printed
        if line.startswith("synclens classify"):
            assert json.loads(printed)["cause"] == "object-permission"
    assert triage


@pytest.mark.docs
def test_a_list_with_custom_columns_loads_as_the_admin_page_describes(run, tmp_path):
    page = (ROOT / "docs" / "how-to" / "admin.md").read_text("utf-8")
    for kind in ("csv", "toml"):
        (example,) = re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)
        (tmp_path / f"helpdesk.{kind}").write_text(example, encoding="utf-8")
    printed = "".join(run(line) for line in re.findall(r"^\$ (synclens .+)$", page, re.MULTILINE))
    assert "object-permission" in printed
    assert "network" in printed


@pytest.mark.docs
def test_the_python_on_the_pages_runs(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SYNCLENS_STORE", str(tmp_path / "synclens.duckdb"))
    run("synclens simulate --seed 7 --devices 60 --days 9")
    for page in (ROOT / "README.md", ROOT / "docs" / "how-to" / "analyst.md"):
        (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        exec(compile(example, page.name, "exec"), {})
        assert capsys.readouterr().out


def test_help_lists_every_question_that_analysis_answers():
    listed = analysis.__doc__.partition("\n\n")[2].partition("\n\n")[0]
    named = set(re.findall(r"\b[A-Za-z_]{3,}\b", re.sub(r"^\S[^?\n]*\?", "", listed, flags=re.MULTILINE)))
    assert named <= set(analysis.__all__)
    functions = {name for name in analysis.__all__ if name.islower()}
    assert functions <= named, f"not in the list: {', '.join(sorted(functions - named))}"


@pytest.mark.docs
def test_the_site_builds_without_a_warning(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    for page in (
        "reference/metrics",
        "reference/commands",
        "reference/playbooks/field-permission",
        "tutorial",
    ):
        assert (tmp_path / "site" / page / "index.html").stat().st_size > 5_000
