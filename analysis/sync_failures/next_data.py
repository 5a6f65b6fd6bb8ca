"""Rank the data to get next for a sync-failure issue by how many of its possible causes they decide."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One entry of next_data.toml."""

    name: str
    title: str
    get: str
    decides: frozenset[str]
    loaded: str | None = None
    impossible_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDatum:
    """A datum to get next. `decides` is the share of the open causes that it confirms or excludes."""

    name: str
    title: str
    get: str
    decides: float
    causes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as values that JSON can hold."""
        return asdict(self) | {"causes": list(self.causes)}


@cache
def load_data() -> Mapping[str, Datum]:
    """Return every entry of next_data.toml by name, in its order."""
    text = files("analysis.sync_failures").joinpath("next_data.toml").read_text(encoding="utf-8")
    return {
        name: Datum(
            name=name,
            title=entry["title"],
            get=entry["get"],
            decides=frozenset(entry["decides"]),
            loaded=entry.get("loaded"),
            impossible_for=frozenset(entry.get("except", ())),
        )
        for name, entry in tomllib.loads(text).items()
    }


def rank_next_data(
    connection: DuckDBPyConnection,
    kind: str,
    open_causes: Sequence[str],
    users: Iterable[str],
    *,
    limit: int = 4,
) -> list[NextDatum]:
    """Return the data that decide most between the open causes, without data that the store already has."""
    named_users = ", ".join(users) or "the affected users"
    ranked = []
    for datum in load_data().values():
        causes = tuple(cause for cause in open_causes if cause in datum.decides)
        if (
            not causes
            or kind in datum.impossible_for
            or (datum.loaded and connection.execute(datum.loaded).fetchall()[0][0])
        ):
            continue
        ranked.append(
            NextDatum(
                name=datum.name,
                title=datum.title.replace("{users}", named_users),
                get=datum.get,
                decides=len(causes) / len(open_causes),
                causes=causes,
            )
        )
    return sorted(ranked, key=lambda datum: -datum.decides)[:limit]
