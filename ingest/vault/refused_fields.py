"""Find the fields that a query is refused for, so that the other fields can be read.

Error types are stable, but the messages and the type for a field differ between versions of Vault. The fields
are therefore found by asking: a query for half of the fields is either accepted, or it has a refused field. A name
in the message is only a hint, and is checked by one more query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest.errors import VaultRefused
from ingest.vault.client import VaultClient
from ingest.vault.metadata import ObjectDescription
from ingest.vault.pull_report import Omission
from ingest.vault.responses import ends_pull

_MOST_HINTS = 10
ALL_ROWS = "every pull reads all rows, because Vault refuses to select and sort them by modified_date__v"


@dataclass(frozen=True, slots=True)
class QueryableFields:
    """A description with the fields that can be queried, and what is missing."""

    description: ObjectDescription
    omissions: tuple[Omission, ...]
    notes: tuple[str, ...] = ()


def drop_refused_fields(
    client: VaultClient, description: ObjectDescription, refused: VaultRefused
) -> QueryableFields:
    """Return the description without the fields for which `refused` was raised.

    Raises VaultRefused if the object itself cannot be queried, or if no field explains the refusal.
    """
    if ends_pull(refused) or refused.retryable:
        raise refused
    probe = _Probe(client, description)
    if (whole := probe.refusal([])) is not None:
        raise whole
    names = [name for name in description.field_names if name != "id"]
    refusals = dict(probe.find(names, _hints(refused, names)))
    by_change = description.by_change and "modified_date__v" in names and "modified_date__v" not in refusals
    sortable = not by_change or probe.refusal(["modified_date__v"], by_change=True) is None
    if not refusals and sortable:
        raise refused
    omissions = [_omission(description.name, name, reason) for name, reason in sorted(refusals.items())]
    queryable = replace(
        description, refused=description.refused | refusals.keys(), by_change=by_change and sortable
    )
    unsorted = "modified_date__v" in names and not queryable.by_change
    return QueryableFields(queryable, tuple(omissions), (ALL_ROWS,) if unsorted else ())


@dataclass(frozen=True, slots=True)
class _Probe:
    client: VaultClient
    description: ObjectDescription

    def refusal(self, names: list[str], *, by_change: bool = False) -> VaultRefused | None:
        """Query one row with these fields, and return Vault's refusal, if any."""
        vql = self.description.only(names, by_change=by_change).vql(
            "> '2000-01-01T00:00:00.000Z'" if by_change else None, 1
        )
        try:
            next(self.client.query(vql))
        except VaultRefused as refused:
            if ends_pull(refused) or refused.retryable:
                raise
            return refused
        return None

    def find(self, names: list[str], hints: list[str]) -> Iterator[tuple[str, VaultRefused]]:
        hinted = {name: reason for name in hints if (reason := self.refusal([name])) is not None}
        yield from hinted.items()
        yield from self._bisect([name for name in names if name not in hinted])

    def _bisect(self, names: list[str]) -> Iterator[tuple[str, VaultRefused]]:
        if not names or (reason := self.refusal(names)) is None:
            return
        if len(names) == 1:
            yield names[0], reason
            return
        middle = len(names) // 2
        yield from self._bisect(names[:middle])
        yield from self._bisect(names[middle:])


def _hints(refused: VaultRefused, names: list[str]) -> list[str]:
    mentioned = set(re.findall(r"\w+", str(refused)))
    return [name for name in names if name in mentioned][:_MOST_HINTS]


def _omission(target: str, field: str, refused: VaultRefused) -> Omission:
    return Omission(
        target,
        f"field {field}",
        str(refused),
        f"Grant the service user Read on {target}.{field}, then run `synclens pull --since 2000-01-01` once "
        "to read the field of the rows that are already in the store.",
    )
