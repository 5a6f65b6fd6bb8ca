"""`--help` of every command, the commands of its groups included, shows how one would type it."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from synclens import cli
from synclens.lazy_commands import CommandRegistry


def commands_of(command, words):
    if not isinstance(command, TyperGroup):
        yield words, command
        return
    for name, child in command.commands.items():
        yield from commands_of(child, [*words, name])


COMMANDS = list(commands_of(typer.main.get_command(cli.app), ["synclens"]))


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_help_shows_an_example_that_begins_with_the_command_itself(words, command):
    told = next(part for part in (command.help or "").split("\n\n") if part.lstrip().startswith("Example"))
    # Around it may stand what it needs and feeds, e.g. a pipe.
    line = told[told.index(" ".join(words)) :].partition("|")[0]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    used = {word for word in line.split() if word.startswith("--")}
    assert used <= known, "an option of the example that the command does not have"


def test_a_list_of_commands_imports_none_of_them():
    """Help, completion and a typo answer in half a second; pandas alone takes longer than that."""
    script = (
        "import sys; from synclens.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print(sorted({'pandas', 'duckdb', 'analysis'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "[]"
    assert "Show health, the worst issues" in " ".join(told.split())  # read from the source, not imported


def test_what_the_list_says_of_a_command_is_what_its_own_help_says():
    opened, closed = CommandRegistry(cli.PANELS), CommandRegistry(cli.PANELS)
    assert {name: closed.list_entry(name).help for name in closed} == {
        name: inspect.cleandoc(command.help) for name, command in opened.items()
    }


@pytest.mark.parametrize(
    ("typed", "completed"), [("synclens tri", "triage"), ("synclens device am", "amend")]
)
def test_the_shell_completes_commands(typed, completed):
    asked = {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
        "_SYNCLENS_COMPLETE": "complete_bash",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("synclens")],
        env=os.environ | asked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == [completed]
