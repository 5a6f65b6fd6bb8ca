"""Functions of VQL on the values of a field.

Source: Veeva, VQL, *Functions & Options*: LONGTEXT() returns a whole long text, or a rich text without its markup;
RICHTEXT() a rich text with its markup; without them, both are cut at 250 characters and rich text has no markup.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from sync_engine.protocol import VaultError
from sync_engine.vault_api.objects import Field, format_label

LONG_TEXT_SHOWN = 250
"""Maximum characters of a long or rich text that a query returns without the function of its type."""
TEXT_TYPES = ("String", "LongText", "RichText")
_FITTING_TYPES = {
    "LONGTEXT": ("long text", ("LongText", "RichText")),
    "RICHTEXT": ("rich text", ("RichText",)),
    "TOLABEL": ("picklist", ("Picklist",)),
    "TRIM": ("picklist", ("Picklist",)),
    "CASEINSENSITIVE": ("text", TEXT_TYPES),
}


def check_function(definition: Field, function: str | None) -> None:
    """Raise VaultError if a function does not fit the type of the field."""
    if function is None:
        return
    label, types = _FITTING_TYPES[function]
    if definition.type not in types:
        raise VaultError(
            "INVALID_DATA", f"{function}() needs a {label} field; [{definition.name}] is [{definition.type}]"
        )


def apply_function(definition: Field, function: str | None, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a field as a query shows it with a function, or without one."""
    if definition.type in ("LongText", "RichText") and isinstance(value, str):
        text = value if function == "RICHTEXT" or definition.type == "LongText" else remove_markup(value)
        return text if function in ("LONGTEXT", "RICHTEXT") else text[:LONG_TEXT_SHOWN]
    if not isinstance(value, list):
        return value
    if function == "TOLABEL":
        return [format_label(str(name)) for name in value]
    if function == "TRIM":
        return [str(name).rpartition("__")[0] or name for name in value]
    return value


def remove_markup(html: str) -> str:
    """Return the text of HTML without its tags."""
    reader = _TextReader()
    reader.feed(html)
    reader.close()
    return "".join(reader.parts)


class _TextReader(HTMLParser):
    """Collects the text between the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        """Add a piece of text."""
        self.parts.append(data)
