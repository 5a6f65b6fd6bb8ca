"""People by pseudonym: the same person is the same stranger in every source, and only the key tells who.

Pseudonyms are HMACs of the folded name under a key that stays on this machine. Record ids of users are
kept as they are, because they join tables and name nobody.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.mapping.mapping import normalize_name
from ingest.readers.rows import RawRow, RowSource

_PEOPLE = frozenset(
    {
        *("username", "fullname", "user", "userid", "email", "useremail", "emailsys", "usernamesys"),
        *("ownername", "owner", "createdby", "createdbyv", "modifiedby", "modifiedbyv", "lastmodifiedby"),
        *("onbehalfof", "changedby", "firstnamesys", "lastnamesys", "sourceip", "clientip", "generatedby"),
    }
)
"""Columns that hold people, folded; addresses of machines point at people too."""
_NAMES_IN_USER_TABLES = frozenset({"name", "namev"})
_USER_TABLES = ({"usernamesys"}, {"userid", "email"}, {"userid", "permissionsets"})
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ID = re.compile(r"[0-9]+|(?=[A-Za-z]*[0-9])[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


@dataclass(frozen=True, slots=True)
class Pseudonymizer:
    """Gives each name its pseudonym; the key never shows."""

    key: bytes = field(repr=False)

    def pseudonym(self, name: str) -> str:
        """Give the pseudonym of a name or an e-mail; case and outer blanks do not matter."""
        digest = hmac.new(self.key, name.strip().casefold().encode(), "sha256").hexdigest()
        return f"person-{digest[:12]}"

    def replace_emails(self, text: str) -> str:
        """Replace each e-mail in a text by its pseudonym."""
        return _EMAIL.sub(lambda found: self.pseudonym(found[0]), text) if "@" in text else text


def read_or_create_key(path: Path) -> bytes:
    """Read the key from a file that only its owner may read; make both when there is none yet."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def pseudonymize(source: RowSource, pseudonymizer: Pseudonymizer) -> RowSource:
    """Give the source with pseudonyms; it takes the careful road, where every cell is looked at."""
    folded = {name: normalize_name(name) for name in source.header}
    there = set(folded.values())
    people = _PEOPLE | (
        _NAMES_IN_USER_TABLES if any(needed <= there for needed in _USER_TABLES) else frozenset()
    )
    return replace(source, rows=_pseudonymized_rows(source.rows, pseudonymizer, people), bulk=None)


def _pseudonymized_rows(
    rows: Iterator[RawRow], pseudonymizer: Pseudonymizer, people: frozenset[str]
) -> Iterator[RawRow]:
    for row in rows:
        cells = {
            name: _pseudonymized_cell(normalize_name(name) in people, cell, pseudonymizer)
            for name, cell in row.cells.items()
        }
        # A line that could not be cut into cells does not tell where its names are.
        raw = f"masked, {len(row.raw)} characters" if row.raw is not None else None
        yield RawRow(row.number, cells, row.problem, raw)


def _pseudonymized_cell(person: bool, cell: str | None, pseudonymizer: Pseudonymizer) -> str | None:
    if not cell or (person and _ID.fullmatch(cell)):
        return cell
    return pseudonymizer.pseudonym(cell) if person else pseudonymizer.replace_emails(cell)
