"""Protect values: by the field they end up in, by their heading, and by what they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from duckdb import DuckDBPyConnection

from ingest.protection import names, secrets
from ingest.protection.keys import key_path, store_key
from ingest.protection.pseudonyms import Pseudonymizer, fingerprint, is_id

_SCHEME = re.compile(r"(?:bearer|basic|token)\s+", re.IGNORECASE)
_SEVERAL = re.compile(r"\s*[;|\n]\s*")
_REASON = re.compile(r"(\w+: [^(]*) \((.*)\)", re.DOTALL)
_HARMLESS_QUOTE = re.compile(r"[\d\s.,:/+TZ-]*")
_LONGEST_QUOTE = 80
_QUOTING_NOTE = re.compile(r"(skipped (?:above the header|as footer)): (.*)", re.DOTALL)
_QUOTED_VALUE = re.compile(
    r"(?P<before> with [^'\"]{1,80} )(?P<quote>['\"])(?P<value>.*?)(?P=quote)(?=[,)])", re.DOTALL
)
_LONGEST_WORD = 40
_MASKED = re.compile(r"masked, \d+ characters")
_DELIMITERS = ",;\t|"
_DERIVED_KEY = re.compile(r"derived-[0-9a-f]{24}")
_LONGEST_CACHED, _MOST_CACHED = 500, 50_000

Cells = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """The table that rows are for, the source's own headings, and the heading of each column of the table."""

    table: str
    headings: Sequence[str] = ()
    assigned: Mapping[str, str] = field(default_factory=dict)

    def identity_columns(self, cells: Cells) -> frozenset[str]:
        """Return the columns that identify users in a row, keyed by column."""
        return names.identity_columns(self.table, cells)

    def identity_headings(self, cells: Cells) -> frozenset[str]:
        """Return the headings of the columns that identify users in a row, keyed by heading."""
        by_column = {column: cells.get(heading) for column, heading in self.assigned.items()}
        columns = names.identity_columns(self.table, {**cells, **by_column})
        return frozenset(self.assigned.get(column, column) for column in columns)

    def secret_headings(self) -> list[str]:
        """Return the headings whose values are secrets, or may be."""
        every = dict.fromkeys((*self.headings, *self.assigned.values()))
        return [
            each for each in every if secrets.is_secret_heading(each) or secrets.is_doubtful_heading(each)
        ]


class Protection:
    """Protects the values of one load into a store: always secrets, and names if there is a `pseudonymizer`.

    The key of the store is read when the first secret is found, unless `key` is passed. `on_key_error` makes the
    exception, from the path and the reason, if the key cannot be read or created.
    """

    def __init__(
        self,
        store: DuckDBPyConnection,
        pseudonymizer: Pseudonymizer | None = None,
        *,
        key: bytes | None = None,
        on_key_error: Callable[[str, str], Exception] = lambda path, reason: OSError(f"{path}: {reason}"),
    ) -> None:
        self.pseudonymizer = pseudonymizer
        self._store, self._key, self._on_key_error = store, key, on_key_error
        self._names = names.NameIndex(pseudonymizer) if pseudonymizer else None
        self._texts: dict[str, str] = {}

    def fingerprint(self, secret: str) -> str:
        """Return the fingerprint of a secret; equal secrets in one store have the same."""
        return f"secret-{fingerprint(self._store_key(), secret.strip())}"

    def keyed_digest(self, digest: str) -> str:
        """Return a digest of a digest with the key: without it, no content can be tried out."""
        key = self._store_key()
        return fingerprint(key, digest) + fingerprint(key, f"{digest} ")

    def _store_key(self) -> bytes:
        if self._key is None:
            try:
                self._key = store_key(self._store)
            except (OSError, ValueError) as error:
                raise self._on_key_error(str(key_path(self._store)), str(error)) from error
        return self._key

    def learn_names(self, cells: Cells, layout: Layout) -> None:
        """Add the names in the identity columns of a row, which are then replaced in every text of the load."""
        if self._names is None:
            return
        identities = layout.identity_headings(cells)
        for heading, cell in cells.items():
            if not isinstance(cell, str) or not cell:
                continue
            kind = "name" if heading in identities else names.heading_identity(heading, layout.table)
            if kind == "name" or (kind == "doubtful" and names.looks_like_a_name(cell)):
                for each in _SEVERAL.split(cell):
                    if each and not is_id(each) and not names.is_no_name(each) and self._names.add(each):
                        self._texts.clear()

    def protect_cells(self, cells: Cells, layout: Layout) -> dict[str, str | None]:
        """Protect the cells of a row, keyed by heading; a heading that the table does not use is protected too."""
        identities, used = layout.identity_headings(cells), set(layout.assigned.values())
        return {
            heading if heading in used else self.text(heading): self._cell(
                cell, heading, layout.table, is_identity=heading in identities, is_used=heading in used
            )
            if isinstance(cell, str) and cell
            else cell
            for heading, cell in cells.items()
        }

    def protect_columns(self, cells: Cells, layout: Layout) -> dict[str, str | None]:
        """Protect the values of a row, keyed by the columns of the table."""
        identities = layout.identity_columns(cells)
        return {
            column: self._cell(
                cell,
                layout.assigned.get(column, column),
                layout.table,
                is_identity=column in identities,
                is_used=True,
            )
            if cell
            else cell
            for column, cell in cells.items()
        }

    def _cell(self, cell: str, heading: str, table: str, *, is_identity: bool, is_used: bool) -> str:
        if secrets.is_secret_cell(heading, cell):
            scheme = _SCHEME.match(cell)
            start = scheme.end() if scheme else 0
            return cell[:start] + self.fingerprint(cell[start:])
        if self.pseudonymizer:
            kind = "name" if is_identity else names.heading_identity(heading, table)
            if kind in ("name", "phone") or (
                kind == "doubtful" and not is_used and names.looks_like_a_name(cell)
            ):
                return cell if is_id(cell) or names.is_no_name(cell) else self.pseudonymizer.pseudonym(cell)
            if kind == "address":
                return self.pseudonymizer.address_pseudonym(cell)
        return self.text(cell)

    def text(self, text: str) -> str:
        """Protect a text: secrets by their format, and e-mail addresses, IP addresses and learned names."""
        if (cached := self._texts.get(text)) is not None:
            return cached
        protected = secrets.hide_secrets(text, self.fingerprint)
        if self.pseudonymizer and self._names:
            protected = self.pseudonymizer.replace_emails(protected)
            protected = self.pseudonymizer.replace_addresses(self._names.replace(protected))
        if len(text) <= _LONGEST_CACHED:
            if len(self._texts) >= _MOST_CACHED:
                self._texts.clear()
            self._texts[text] = protected
        return protected

    def json_text(self, text: str, layout: Layout) -> str:
        """Protect a JSON object by the names of its members, or else as a text."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        if not isinstance(value, dict):
            return self.text(text)
        protected = self._members(value, layout)
        return text if protected == value else _compact(protected)

    def _members(self, value: Mapping[str, object], layout: Layout) -> dict[str, object]:
        texts = {name: each for name, each in value.items() if isinstance(each, str) or each is None}
        protected: dict[str, object] = dict(self.protect_cells(texts, layout))
        for name, each in value.items():
            if isinstance(each, dict):
                protected[self.text(name)] = self._members(each, layout)
            elif isinstance(each, list):
                protected[self.text(name)] = [self._element(name, part, layout) for part in each]
            elif name not in texts:
                is_secret = secrets.is_secret_heading(name) and not isinstance(each, bool)
                protected[self.text(name)] = self.fingerprint(str(each)) if is_secret else each
        return {self.text(name): protected[self.text(name)] for name in value}

    def _element(self, name: str, part: object, layout: Layout) -> object:
        if isinstance(part, dict):
            return self._members(part, layout)
        return self.protect_cells({name: part}, layout)[self.text(name)] if isinstance(part, str) else part

    def raw_text(self, raw: str, layout: Layout) -> str:
        """Protect the text kept of a rejected row: a JSON object of cells, a list of cells, or a line.

        The names in a line that could not be split into cells cannot be found: with a pseudonymizer, only its
        length is kept.
        """
        if raw.startswith("{"):
            protected = self.json_text(raw, layout)
            if protected != raw or _is_object(raw):
                return protected
        if self.pseudonymizer:
            return raw if _MASKED.fullmatch(raw) else f"masked, {len(raw)} characters"
        secret_headings = set(layout.secret_headings())
        positions = {place for place, each in enumerate(layout.headings) if each in secret_headings}
        cells = _list_of_cells(raw)
        if cells is not None:
            protected_cells = [self._unplaced(cell, place, positions) for place, cell in enumerate(cells)]
            return raw if protected_cells == cells else _compact(protected_cells)
        if not positions:
            return self.text(raw)
        delimiter = max(_DELIMITERS, key=raw.count)
        return delimiter.join(
            self._unplaced(cell, place, positions) for place, cell in enumerate(raw.split(delimiter))
        )

    def _unplaced(self, cell: str, place: int, secret_places: set[int]) -> str:
        """Protect a cell of a row with too few or too many: a secret may have moved to another place."""
        if not secret_places:
            return self.text(cell)
        protected = secrets.hide_opaque_words(self.text(cell), self.fingerprint)
        if place in secret_places and protected == cell and cell.strip() and not secrets.is_fingerprint(cell):
            return self.fingerprint(cell.strip().strip('"'))
        return protected

    def reason(self, reason: str, layout: Layout, *, is_protected_row: bool) -> str:
        """Protect the value that a reason quotes; a quote that may be cut within a secret or name is left out."""
        match = _REASON.fullmatch(reason)
        if match is None:
            return self.text(reason)
        heading = layout.assigned.get(reason.partition(":")[0], "")
        may_be_cut = is_protected_row and len(match[2]) >= _LONGEST_QUOTE
        is_secret = bool(heading) and secrets.is_secret_heading(heading)
        if is_secret or may_be_cut or (self.pseudonymizer and not _HARMLESS_QUOTE.fullmatch(match[2])):
            return match[1] if match[2] != "masked" else reason
        return self.text(reason)

    def note(self, note: str) -> str:
        """Protect a note on a load. Names in titles and footers cannot be found: only their length is kept."""
        match = _QUOTING_NOTE.fullmatch(note)
        if match and self.pseudonymizer and not _MASKED.fullmatch(match[2]):
            return f"{match[1]}: masked, {len(match[2])} characters"
        if self.pseudonymizer:
            note = _QUOTED_VALUE.sub(_without_names, note)
        return self.text(note)

    def key_of_changed_row(self, key: str) -> str:
        """Return the id of a row whose values changed: an id made from the content would let it be tried out."""
        return f"derived-{self.keyed_digest(key)}" if _DERIVED_KEY.fullmatch(key) else key


def _without_names(match: re.Match[str]) -> str:
    """Leave out a value that a note quotes, unless it is a word such as a log level or a status."""
    value = match["value"]
    if len(value) <= _LONGEST_WORD and not names.looks_like_a_name(value) and "@" not in value:
        return match[0]
    return f"{match['before']}{match['quote']}masked, {len(value)} characters{match['quote']}"


def _is_object(raw: str) -> bool:
    try:
        return isinstance(json.loads(raw), dict)
    except (ValueError, RecursionError):
        return False


def _list_of_cells(raw: str) -> list[str] | None:
    try:
        cells = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if isinstance(cells, list) and all(isinstance(cell, str) for cell in cells):
        return cells
    return None


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
