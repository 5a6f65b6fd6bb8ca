"""The terminal that narration is written to: styles are ours, and no byte of a device's text commands it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# C0 and C1 controls but line end and tab, and the marks that turn the direction of what follows.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def strip_control_characters(text: str) -> str:
    """Text without what a terminal would take for a command: escape sequences become their visible letters."""
    return _CONTROL_CHARACTERS.sub("", text)


class SafeConsole(Console):
    """A Rich console that drops control characters from what it shows; its own styles come after."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as Rich does, without commands in the text."""
        for segment in super().render(renderable, options):
            if segment.control is None and _CONTROL_CHARACTERS.search(segment.text):
                yield Segment(strip_control_characters(segment.text), segment.style)
            else:
                yield segment
