"""What people do to issues: take one, close one, put one aside. Kept beside the store, never in it."""

from __future__ import annotations


def bulk_actions(issue_ids: list[str]) -> None:
    """Buttons for the issues that are ticked."""


def box(issue_id: str, about: dict[str, object]) -> None:
    """State, assignee and note of one issue."""
