"""Load the kinds of sync-failure issues: one .sql file in `kinds/` per kind, with a header that describes it.

The query of a kind reads the relation `judged_sync` (observations.py), one row per sync without an error event, and
returns `sync_id` of the syncs with the symptom, and `starts`: false if the sync only repeats what an earlier sync of
its user began, such as a refused record that is sent again. The header has one `key: value` per line, then a
description:

title     the symptom as a short sentence, the start of an issue's title
noun      what is counted, in the plural
compare   `rates`: the symptom must be more frequent than usual; `listed`: each returned sync counts
among     for rates: `finished` syncs, or all `started` syncs
usual     for rates: the largest share that can be usual; above it, the symptom is never accepted as usual
dispersion  for rates: syncs that one cause makes show the symptom, on average; more needs more evidence
users     fewest affected users
failures  `yes` if these syncs failed or had errors; other kinds are not judged where errors are loaded
changes   kinds of configuration changes that can cause it
causes    causes of the catalogue that can have this symptom, continued on lines indented by two
open      what tracking alone leaves open
lasts     optional: `yes` if the symptom lasts until a later sync, so that the issue is never quiet
excludes  optional: what the symptom itself excludes, a colon, and the evidence with {syncs} for their number
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_KEYS = ("title", "noun", "compare", "users", "failures", "changes", "causes", "open")
_RATE_KEYS = ("among", "usual", "dispersion")
_OPTIONAL_KEYS = ("excludes", "lasts")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """One kind of sync-failure issue, as its file describes it."""

    name: str
    title: str
    noun: str
    by_rate: bool
    among: str
    usual: float
    dispersion: float
    min_users: int
    is_failure: bool
    lasts: bool
    changes: tuple[str, ...]
    causes: tuple[str, ...]
    open_question: str
    excludes: str
    exclusion_evidence: str
    description: str
    sql: str

    @classmethod
    def parse(cls, name: str, text: str) -> FailureKind:
        """Read the file of a kind. Raises ValueError if its header lacks a key or has an invalid value."""
        comment = re.match(r"(?:--.*\n)+", text)
        header = re.sub(r"\n--   +", " ", comment[0] if comment else "")
        lines = [line[3:] for line in header.splitlines()]
        pairs = [re.fullmatch(r"([a-z]+): (.+)", line) for line in lines]
        values = {pair[1]: pair[2] for pair in pairs if pair}
        by_rate = values.get("compare") == "rates"
        keys = {*_KEYS, *(_RATE_KEYS if by_rate else ())}
        if values.keys() - {*_OPTIONAL_KEYS} != keys or values["compare"] not in ("rates", "listed"):
            raise ValueError(f"{name}.sql must begin with {', '.join(f'-- {key}:' for key in sorted(keys))}")
        if by_rate and values["among"] not in ("finished", "started"):
            raise ValueError(f"{name}.sql: among must be finished or started, not {values['among']!r}")
        excludes, _, evidence = values.get("excludes", "").partition(": ")
        return cls(
            name=name.replace("_", "-"),
            title=values["title"],
            noun=values["noun"],
            by_rate=by_rate,
            among=values.get("among", "started"),
            usual=float(values.get("usual", 0.0)),
            dispersion=float(values.get("dispersion", 1.0)),
            min_users=int(values["users"]),
            is_failure=values["failures"] == "yes",
            lasts=values.get("lasts") == "yes",
            changes=tuple(values["changes"].split()),
            causes=tuple(values["causes"].split()),
            open_question=values["open"],
            excludes=excludes,
            exclusion_evidence=evidence,
            description=" ".join(line for line, pair in zip(lines, pairs, strict=True) if not pair),
            sql=text,
        )


@cache
def load_failure_kinds() -> Mapping[str, FailureKind]:
    """Return every kind by name, in the order of their names."""
    entries = files("analysis.sync_failures").joinpath("kinds").iterdir()
    texts = {
        entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8")
        for entry in entries
        if entry.name.endswith(".sql")
    }
    kinds = [FailureKind.parse(name, texts[name]) for name in sorted(texts)]
    return {kind.name: kind for kind in kinds}
