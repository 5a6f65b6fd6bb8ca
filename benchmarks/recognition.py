"""Measure recognition: foreign tables loaded as errors, and true tables recognized.

    python -m benchmarks.recognition [--set tune|first|second] [--seed 1] [--tables 240] [--show]

Tables are drawn from `foreign_domains.toml` and `true_tables.toml`, with their headings translated, renamed and
shuffled. The kinds were tuned on the set `tune`, measured once on `first`, tuned again, and measured once on
`second`. A foreign table counts as loaded
if any table of SyncLens would load its rows.
"""

from __future__ import annotations

import argparse
import random
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.errors import IngestError
from ingest.mapping.labels import labels_in
from ingest.mapping.recognition import recognize
from ingest.readers.rows import RawRow, RowSource

HERE = Path(__file__).parent
PEOPLE = ["Ana Sol", "Bo Lind", "Cem Ay", "Dara Wu", "Eva Novak"]
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord"]


@dataclass(frozen=True)
class Table:
    """A generated table: its origin, its header, its rows, and the table it belongs in (None: nowhere)."""

    origin: str
    header: list[str]
    rows: list[list[str]]
    kind: str | None

    def source(self) -> RowSource:
        """Return the table as a source to recognize."""
        rows = [RawRow(n, dict(zip(self.header, row, strict=True))) for n, row in enumerate(self.rows, 1)]
        return RowSource(f"{self.origin}.csv", list(self.header), iter(rows))


def foreign_tables(count: int, seed: int, part: str = "tune") -> Iterator[Table]:
    """Yield tables of other domains, every domain equally often."""
    domains = [each for each in _read("foreign_domains.toml")["domain"] if each.get("set", "tune") == part]
    dice = random.Random(f"foreign {seed} {part}")
    for number in range(count):
        yield _foreign(domains[number % len(domains)], dice)


def true_tables(count: int, seed: int, part: str = "tune") -> Iterator[Table]:
    """Yield lists of sync errors and tables of syncs."""
    data = _read("true_tables.toml")
    languages = [each for each in data["errors"] if part == "second" or each.get("set", "tune") == part]
    dice = random.Random(f"true {seed} {part}")
    for number in range(count):
        if number % 5 == 4:
            yield _syncs(data["syncs"], dice)
        else:
            renames = part != "tune" and number % 5 == 3
            yield _errors(dice.choice(languages), data, dice, renames=renames)


def recognized_kind(table: Table) -> str | None:
    """Return the table that the rows would be loaded into, None if the source is refused."""
    try:
        return recognize(table.source()).mapping.contract.table
    except IngestError:
        return None


def _foreign(domain: dict[str, Any], dice: random.Random) -> Table:
    columns = [each.split(" = ", 1) for each in domain["columns"]]
    kept = [each for each in columns if dice.random() < 0.85] or columns
    dice.shuffle(kept)
    style = dice.choice([str, str.title, str.upper, str.lower, lambda name: name.lower().replace(" ", "_")])
    header = [style(dice.choice(names.split("/"))) for names, _ in kept]
    count = dice.randint(3, 60)
    cells = [[_value(values, dice) for _ in range(count)] for _, values in kept]
    return Table(domain["name"], header, [list(row) for row in zip(*cells, strict=True)], None)


def _value(kind: str, dice: random.Random) -> str:
    name, *bounds = kind.split(" ")
    match name:
        case "date":
            return f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
        case "time":
            return f"{_value('date', dice)} {dice.randint(0, 23):02}:{dice.randint(0, 59):02}:00"
        case "id":
            return f"{dice.choice('ABCXYZ')}{dice.randint(1000, 99999)}"
        case "uuid":
            return f"{dice.getrandbits(64):016x}"
        case "int" if len(bounds) == 2:
            return str(dice.randint(int(bounds[0]), int(bounds[1])))
        case "float" if len(bounds) == 2:
            return f"{dice.uniform(float(bounds[0]), float(bounds[1])):.2f}"
        case "money":
            return f"{dice.uniform(1, 900):.2f}"
        case "user":
            return dice.choice(PEOPLE)
        case "email":
            return f"{dice.choice(WORDS)}@example.com"
        case "ip":
            return f"203.0.113.{dice.randint(1, 254)}"
        case "word":
            return dice.choice(WORDS)
        case _:
            return dice.choice(kind.split("|"))


def _errors(language: dict[str, Any], data: dict[str, Any], dice: random.Random, *, renames: bool) -> Table:
    labels = data["renamed"] if renames else labels_in(language["language"])
    messages = data["errors"][0]["messages"] if renames else language["messages"]
    cells: dict[str, Sequence[str]] = {
        "time": [f"2026-10-{day:02} 0{day % 9}:1{day % 6}:00" for day in range(1, 29)],
        "user": PEOPLE,
        "device": ["iPad 4", "iPad 12", "Surface 9"],
        "message": messages,
        "code": data["codes"]["values"],
        "object": ["call2__v", "account__v"],
        "record": ["V3B000001", "V3B000002", "OCL00012"],
    }
    optional = [name for name in cells if name not in ("time", "message") and dice.random() < 0.6]
    names = ["time", "message", *(optional or ["user"])]
    dice.shuffle(names)
    header = [dice.choice(labels[name]) for name in names]
    if len(set(header)) < len(header):
        return _errors(language, data, dice, renames=renames)
    rows = [[dice.choice(cells[name]) for name in names] for _ in range(dice.randint(2, 40))]
    origin = f"errors {'renamed' if renames else language['language']}"
    return Table(origin, header, rows, "sync_error")


def _syncs(data: dict[str, Any], dice: random.Random) -> Table:
    names = [*data["required"], *(name for name in data["optional"] if dice.random() < 0.6)]
    dice.shuffle(names)
    rows = []
    for number in range(dice.randint(2, 40)):
        row = []
        for name in names:
            if "date" in name:
                row.append(f"2026-10-{number % 28 + 1:02}T08:00:00.000Z")
            elif name.startswith(("successful", "sync_canceled", "upload_pro", "download_pro")):
                row.append(dice.choice(["true", "false"]))
            else:
                row.append(str(number))
        rows.append(row)
    as_label = dice.random() < 0.5
    header = [name.removesuffix("__v").replace("_", " ").title() if as_label else name for name in names]
    return Table("syncs", header, rows, "sync_tracking__v")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def main() -> None:
    """Print both shares, and with --show each table that is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", dest="part", choices=["tune", "first", "second"], default="tune")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", type=int, default=240)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    as_errors, loaded, wrong = 0, Counter[str](), Counter[str]()
    for table in foreign_tables(options.tables, options.seed, options.part):
        kind = recognized_kind(table)
        as_errors += kind == "sync_error"
        if kind:
            loaded[f"{table.origin} as {kind}"] += 1
            if options.show:
                print(table.origin, kind, table.header, table.rows[:2])
    for table in true_tables(options.tables, options.seed, options.part):
        kind = recognized_kind(table)
        if kind != table.kind:
            wrong[table.origin] += 1
            if options.show:
                print(table.origin, kind, table.header, table.rows[:2])
    print(f"foreign tables: {options.tables}, loaded as errors: {as_errors}, loaded at all: {loaded.total()}")
    print(f"true tables: {options.tables}, recognized: {options.tables - wrong.total()}")
    print(dict(loaded), dict(wrong))


if __name__ == "__main__":
    main()
