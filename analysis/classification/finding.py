"""The finding that classification makes for an event."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.classification.catalogue import UNKNOWN

MAX_ALTERNATIVES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """The cause of an event, its confidence (0 to 1), and the id of the rule that decided it.

    `rule` is empty if nothing decided. `also` lists alternative causes, the most likely first, and `chances` has
    the chance of each (0 to 1); it is empty if no chances are known.
    """

    cause: str
    confidence: float
    rule: str
    also: tuple[str, ...]
    chances: tuple[float, ...] = ()


NO_FINDING = Finding(UNKNOWN, 0.0, "", ())
