"""Optional dependencies: a missing one is answered with the command that installs it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


class MissingExtra(Exception):
    """A package of an optional extra is not installed. `next_step` holds the command that installs it."""

    def __init__(self, feature: str, extra: str, module: str) -> None:
        super().__init__(f"{feature} needs the package {module}, which is not installed")
        self.next_step = f"Install it with: {install_command(extra)}"


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'synclens[{extra}]'"


def require_extra(feature: str, extra: str, *modules: str) -> None:
    """Check that the modules of an extra are installed, without importing them. Raises MissingExtra.

    `feature` is the subject of the error message, for example "The dashboard".
    """
    for module in modules:
        try:
            installed = find_spec(module) is not None
        except ModuleNotFoundError:
            installed = False
        if not installed:
            raise MissingExtra(feature, extra, module.partition(".")[0])


def import_extra(feature: str, extra: str, module: str) -> Any:
    """Import and return a module of an extra. Raises MissingExtra."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(feature, extra, module.partition(".")[0]) from error
