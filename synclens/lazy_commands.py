"""Commands that are imported when they are typed: help, completion and a typo do not wait for pandas.

The pattern is click's own (https://click.palletsprojects.com/en/stable/complex/#defining-the-lazy-group), with
one difference: the line that a list of commands shows is read from the source of the command, so that there is
no second copy of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup


class CommandRegistry(Mapping[str, Any]):
    """Commands by name; each is imported when it is first taken down.

    `panels` has, under the title of each panel of the help, where its commands are: "module:function", or
    "module:name" of a Typer with commands of its own.
    """

    def __init__(self, panels: Mapping[str, Mapping[str, str]]) -> None:
        self._places = {name: place for places in panels.values() for name, place in places.items()}
        self._panels = {name: title for title, places in panels.items() for name in places}
        self._taken: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._taken:
            self._taken[name] = _command(load(self._places[name]), name)
        return self._taken[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places  # Mapping's own way would import it

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def list_entry(self, name: str) -> Any:
        """The command as a list shows it: its name and what it says of itself, and nothing is imported."""
        if name in self._taken:
            return self._taken[name]
        return TyperCommand(name, help=_read_help(self._places[name]), rich_help_panel=self._panels[name])


class LazyGroup(TyperGroup):
    """A group whose commands stand on a shelf, which a subclass names."""

    registry: CommandRegistry

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("MutableMapping[str, Any]", self.registry)  # nothing is ever added to it

    def list_commands(self, ctx: Any) -> list[str]:
        """The names alone."""
        return list(self.registry)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The label of a command, for lists; what runs is taken down by `resolve_command`."""
        return self.registry.list_entry(cmd_name) if cmd_name in self.registry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that was typed, then go on as ever."""
        self.registry.get(args[0])
        return super().resolve_command(ctx, args)


def load(place: str) -> Any:
    """What "module:name" names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _command(found: Any, name: str) -> Any:
    command: Any
    if isinstance(found, typer.Typer):
        command = typer.main.get_group(found)  # a group even with one command in it
    else:
        alone = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
        alone.command(name)(found)
        command = typer.main.get_command(alone)
    command.name = name
    return command


def _read_help(place: str) -> str:
    module, _, name = place.partition(":")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return _help_of(node.value)
    return ""


def _help_of(made: ast.expr) -> str:
    said = [word.value for word in getattr(made, "keywords", ()) if word.arg == "help"]
    return str(ast.literal_eval(said[0])) if said else ""
