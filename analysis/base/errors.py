"""What can go wrong in a question, and what the person who asked can do about it."""

from __future__ import annotations


class AnalysisError(Exception):
    """A question that cannot be answered as it was asked; `next_step` says how to ask it."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.add_note(f"Next: {next_step}")  # a traceback in a notebook shows it too
