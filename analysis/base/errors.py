"""The base class of errors that a user can correct."""

from __future__ import annotations


class AnalysisError(Exception):
    """A question that cannot be answered as asked; `next_step` states what to do instead."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.add_note(f"Next: {next_step}")  # shown in a traceback in a notebook
