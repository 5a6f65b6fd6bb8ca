"""How many examples a property test draws, as a share of the Hypothesis profile in use."""

from __future__ import annotations

from hypothesis import settings


def examples(per_hundred: int) -> int:
    """Return the number of examples for a test that draws `per_hundred` of them when the profile draws 100.

    A number written into a test would ignore the profile: `make explore` draws ten times as many.
    """
    return max(1, round(settings.default.max_examples * per_hundred / 100))
