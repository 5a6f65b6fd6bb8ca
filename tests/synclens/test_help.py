"""`--help` of every command and subcommand, and shell completion."""

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


def commands_of(command, arguments):
    if not isinstance(command, TyperGroup):
        yield arguments, command
        return
    for name, child in command.commands.items():
        yield from commands_of(child, [*arguments, name])


COMMANDS = list(commands_of(typer.main.get_command(cli.app), ["synclens"]))


@pytest.mark.parametrize(
    ("arguments", "command"), COMMANDS, ids=[" ".join(arguments) for arguments, _ in COMMANDS]
)
def test_help_has_an_example_with_valid_options(arguments, command):
    example = next(part for part in (command.help or "").split("\n\n") if part.lstrip().startswith("Example"))
    # The example may set a variable before the command, and pipe its output.
    line = example[example.index(" ".join(arguments)) :].partition("|")[0]
    valid_options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    used = {word for word in line.split() if word.startswith("--")}
    assert used <= valid_options, "the example has an option that the command lacks"


def test_help_imports_no_command():
    """Help, completion and typos must be fast; importing pandas alone takes 1.5 s."""
    script = (
        "import sys; from synclens.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print(sorted({'pandas', 'duckdb', 'analysis'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
    assert "Show health, the worst issues" in " ".join(output.split())  # read from the source, not imported


def test_the_list_of_commands_shows_the_help_of_each_command():
    imported, listed = CommandRegistry(cli.PANELS), CommandRegistry(cli.PANELS)
    assert {name: listed.list_entry(name).help for name in listed} == {
        name: inspect.cleandoc(command.help) for name, command in imported.items()
    }


@pytest.mark.parametrize(
    ("typed", "completed"), [("synclens tri", "triage"), ("synclens device am", "amend")]
)
def test_the_shell_completes_commands(typed, completed):
    completion_request = {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
        "_SYNCLENS_COMPLETE": "complete_bash",
    }
    result = subprocess.run(
        [Path(sys.executable).with_name("synclens")],
        env=os.environ | completion_request, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stdout.split() == [completed]
