"""Replace names and e-mail addresses with pseudonyms.

A pseudonym is an HMAC of the name, in lower case, with a key that stays on this machine; the same name has the
same pseudonym in every source. Record ids of users are kept: they join tables, and identify no one by name.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.mapping.headings import fold_heading
from ingest.readers.rows import RawRow, RowSource

_USER_COLUMNS = frozenset(
    {
        *("username", "fullname", "user", "userid", "email", "useremail", "emailsys", "usernamesys"),
        *("ownername", "owner", "createdby", "createdbyv", "modifiedby", "modifiedbyv", "lastmodifiedby"),
        *("onbehalfof", "changedby", "firstnamesys", "lastnamesys", "sourceip", "clientip", "generatedby"),
    }
)
"""Normalized names of columns that identify users; IP addresses do so too."""
_NAMES_IN_USER_TABLES = frozenset({"name", "namev"})
_USER_TABLES = ({"usernamesys"}, {"userid", "email"}, {"userid", "permissionsets"})
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ID = re.compile(r"[0-9]+|(?=[A-Za-z]*[0-9])[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


@dataclass(frozen=True, slots=True)
class Pseudonymizer:
    """Replaces names with pseudonyms; the key never shows in a repr."""

    key: bytes = field(repr=False)

    def pseudonym(self, name: str) -> str:
        """Return the pseudonym of a name or e-mail address; case and surrounding spaces are ignored."""
        digest = hmac.new(self.key, name.strip().casefold().encode(), "sha256").hexdigest()
        return f"person-{digest[:12]}"

    def replace_emails(self, text: str) -> str:
        """Replace each e-mail address in a text with its pseudonym."""
        return _EMAIL.sub(lambda match: self.pseudonym(match[0]), text) if "@" in text else text


def read_or_create_key(path: Path) -> bytes:
    """Read the key from a file, or create the file, readable by its owner only, with a new key."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def pseudonymize(source: RowSource, pseudonymizer: Pseudonymizer) -> RowSource:
    """Return the source with pseudonyms; its rows are then read one by one."""
    header = set(map(fold_heading, source.header))
    user_columns = _USER_COLUMNS | (
        _NAMES_IN_USER_TABLES if any(needed <= header for needed in _USER_TABLES) else frozenset()
    )
    return replace(source, rows=_pseudonymized_rows(source.rows, pseudonymizer, user_columns), bulk=None)


def _pseudonymized_rows(
    rows: Iterator[RawRow], pseudonymizer: Pseudonymizer, user_columns: frozenset[str]
) -> Iterator[RawRow]:
    for row in rows:
        cells = {
            name: _pseudonymized_cell(fold_heading(name) in user_columns, cell, pseudonymizer)
            for name, cell in row.cells.items()
        }
        # The names in a line that could not be split into cells cannot be found.
        raw = f"masked, {len(row.raw)} characters" if row.raw is not None else None
        yield RawRow(row.number, cells, row.problem, raw)


def _pseudonymized_cell(is_name: bool, cell: str | None, pseudonymizer: Pseudonymizer) -> str | None:
    if not cell or (is_name and _ID.fullmatch(cell)):
        return cell
    return pseudonymizer.pseudonym(cell) if is_name else pseudonymizer.replace_emails(cell)
