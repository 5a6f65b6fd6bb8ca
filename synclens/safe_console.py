"""A Rich console that prints no control characters: text from devices must not control the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# C0 and C1 controls except newline and tab, and the marks that change the direction of the text after them.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def strip_control_characters(text: str) -> str:
    """Remove control characters. Only the printable part of an escape sequence remains."""
    return _CONTROL_CHARACTERS.sub("", text)


class SafeConsole(Console):
    """A Rich console that strips control characters from text. Styles are added after that."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as Rich does, without control characters in the text."""
        for segment in super().render(renderable, options):
            if segment.control is None and _CONTROL_CHARACTERS.search(segment.text):
                yield Segment(strip_control_characters(segment.text), segment.style)
            else:
                yield segment
