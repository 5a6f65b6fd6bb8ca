"""Import a command's module only when the command runs, so that help and completion start fast.

The pattern is click's (https://click.palletsprojects.com/en/stable/complex/#defining-the-lazy-group), with one
difference: the list of commands reads each summary from the source of the command, so there is no second copy.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup


class CommandRegistry(Mapping[str, Any]):
    """Commands by name. Each one is imported when it is first looked up.

    `panels` maps the title of each help panel to its commands: "module:function", or "module:name" of a Typer with
    subcommands.
    """

    def __init__(self, panels: Mapping[str, Mapping[str, str]]) -> None:
        self._locations = {name: location for group in panels.values() for name, location in group.items()}
        self._panels = {name: title for title, group in panels.items() for name in group}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _build_command(load(self._locations[name]), name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._locations  # Mapping's default would import the command

    def __iter__(self) -> Iterator[str]:
        return iter(self._locations)

    def __len__(self) -> int:
        return len(self._locations)

    def list_entry(self, name: str) -> Any:
        """Return a command with the name and help text of `name`, without importing its module."""
        if name in self._loaded:
            return self._loaded[name]
        return TyperCommand(name, help=_read_help(self._locations[name]), rich_help_panel=self._panels[name])

    def panel(self, name: str) -> str:
        """Return the title of the help panel that lists the command `name`."""
        return self._panels[name]


class LazyGroup(TyperGroup):
    """A group whose commands come from a registry, which a subclass sets."""

    registry: CommandRegistry

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("MutableMapping[str, Any]", self.registry)  # nothing is ever added to it

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(self.registry)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the list entry of a command; `resolve_command` imports the one that runs."""
        return self.registry.list_entry(cmd_name) if cmd_name in self.registry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the requested command, then resolve it as usual."""
        self.registry.get(args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section of commands for each panel."""
        for title, names in groupby(self.registry, self.registry.panel):
            with formatter.section(title):
                formatter.write_dl([(name, _first_sentence(self.get_command(ctx, name))) for name in names])


def load(location: str) -> Any:
    """Import and return the object that "module:name" refers to."""
    module, _, name = location.partition(":")
    return getattr(import_module(module), name)


def _build_command(target: Any, name: str) -> Any:
    command: Any
    if isinstance(target, typer.Typer):
        command = typer.main.get_group(target)  # a group even with one command in it
    else:
        single = typer.Typer(
            add_completion=False,
            rich_markup_mode=None,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        single.command(name)(target)
        command = typer.main.get_command(single)
    command.name = name
    return command


def _first_sentence(command: Any) -> str:
    paragraph = " ".join((command.help or "").partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".")


def _read_help(location: str) -> str:
    """Return the docstring of a function, or the help text of a Typer, from its source."""
    module, _, name = location.partition(":")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return _help_argument(node.value)
    return ""


def _help_argument(call: ast.expr) -> str:
    values = [keyword.value for keyword in getattr(call, "keywords", ()) if keyword.arg == "help"]
    return str(ast.literal_eval(values[0])) if values else ""
