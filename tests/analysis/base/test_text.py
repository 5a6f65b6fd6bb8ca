"""Words in sentences: the beginning, and nothing else, becomes a capital."""

import pytest

from analysis.base.text import capitalize_first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shut out since 2026-03-05 23:31 UTC", "Shut out since 2026-03-05 23:31 UTC"),
        ("Autosync", "Autosync"),
        ("", ""),
    ],
)
def test_only_the_first_letter_changes(text, expected):
    assert capitalize_first(text) == expected
