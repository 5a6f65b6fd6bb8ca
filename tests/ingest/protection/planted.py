"""Secrets and names to plant in inputs, and the search for them in everything that a load leaves behind."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

SESSION = "Q7ZK2M4P9T1R8W6X3Y5B"
BEARER = "tok_9f8e7d6c5b4a39281706"
PASSWORD = "Mohnblume#2031"
SALESFORCE = "00D8b0000042kLq!AQ4AQFfYw0n1x2y3z4A5b6C7d8E9"
SECRETS = (SESSION, BEARER, PASSWORD, SALESFORCE)

NAME = "Ravensholt, Oda"
MAIL = "oda.ravensholt@pharma.example"
ADDRESS = "198.51.100.77"
NAMES = ("ravensholt", MAIL, ADDRESS)

MESSAGE = (
    f"Validation failed for Oda Ravensholt; Authorization: Bearer {BEARER}, password={PASSWORD} "
    f"at https://svc:{PASSWORD}@host.example/x?sessionid={SESSION} by {MAIL} from {ADDRESS}"
)
NOTE = f'{{"sessionId":"{SESSION}","sf":"{SALESFORCE}","who":"ODA RAVENSHOLT"}}'

HEADER = [
    "Time",
    "User",
    "Device",
    "Error Code",
    "Error Message",
    "Session ID",
    "Reported By",
    "Client IP",
    "Note",
]


def error_rows(count: int = 3) -> list[list[str]]:
    """Return rows of an error list with everything planted; every third row has an invalid time."""
    return [
        [
            f"never {MESSAGE}" if number % 3 == 1 else f"2026-11-18T07:{number % 60:02}:02Z",
            NAME,
            f"iPad {number}",
            "INVALID_DATA",
            f"{number}: {MESSAGE}",
            SESSION,
            "Oda Ravensholt",
            ADDRESS,
            NOTE,
        ]
        for number in range(count)
    ]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """Return a CSV text with a title that has a name, a row with too few cells, one that is broken, and a footer."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    writer.writerow(["2026-11-18T07:12:00Z", NAME, SESSION, MESSAGE])
    text.write(f'"broken{delimiter}{NAME}{delimiter}sessionid={SESSION}{delimiter}password={PASSWORD}\n')
    return text.getvalue()


def json_records(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    """Return rows as objects."""
    return [dict(zip(header, row, strict=True)) for row in rows]


def _json_lines(rows: list[list[str]]) -> str:
    lines = "\n".join(map(json.dumps, json_records(HEADER, rows)))
    return (
        f'{lines}\n{{"Session ID": "{SESSION}", "User": "{NAME}", broken\n["{NAME}", "password={PASSWORD}"]\n'
    )


def _parquet(path: Path) -> None:
    columns = list(map(list, zip(*error_rows(), strict=True)))
    pq.write_table(pa.table(dict(zip(HEADER, columns, strict=True))), path)


def _workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Oda Ravensholt"
    for row in (HEADER, *error_rows()):
        sheet.append(row)
    book.create_sheet("other").append(["a", "b"])
    book.save(path)


def _text(text: Callable[[], str], encoding: str = "utf-8") -> Callable[[Path], None]:
    return lambda path: path.write_text(text(), encoding=encoding) and None


FORMS: dict[str, Callable[[Path], None]] = {
    "comma": _text(lambda: csv_text(HEADER, error_rows())),
    "semicolon": _text(lambda: csv_text(HEADER, error_rows(), ";")),
    "tab": _text(lambda: csv_text(HEADER, error_rows(), "\t"), "utf-16"),
    "bar": _text(lambda: csv_text(HEADER, error_rows(), "|"), "cp1252"),
    "title": _text(lambda: f"Report for {NAME} with {SALESFORCE}\n\n{csv_text(HEADER, error_rows())}"),
    "large CSV": _text(lambda: csv_text(HEADER, error_rows(3_000))),
    "JSON lines": _text(lambda: _json_lines(error_rows())),
    "large JSON lines": _text(lambda: _json_lines(error_rows(3_000))),
    "JSON list": _text(lambda: json.dumps(json_records(HEADER, error_rows()))),
    "JSON page": _text(lambda: json.dumps({"data": json_records(HEADER, error_rows()), "token": SALESFORCE})),
    "Parquet": _parquet,
    "workbook": _workbook,
}
"""Files with planted errors, one for each kind of reader."""


def _pack_zip(path: Path, member: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(member, f"{SALESFORCE.partition('!')[0]}-{MAIL}.csv")


def _pack_tar(path: Path, member: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(member, "Oda_Ravensholt/errors.csv")


def _pack_zstd(path: Path, member: Path) -> None:
    with pa.output_stream(path, compression="zstd") as stream:
        stream.write(member.read_bytes())


CONTAINERS: dict[str, Callable[[Path, Path], None]] = {
    "gzip": lambda path, member: path.write_bytes(gzip.compress(member.read_bytes())) and None,
    "bzip2": lambda path, member: path.write_bytes(bz2.compress(member.read_bytes())) and None,
    "xz": lambda path, member: path.write_bytes(lzma.compress(member.read_bytes())) and None,
    "zstd": _pack_zstd,
    "zip": _pack_zip,
    "tar": _pack_tar,
}
"""How to pack a file into each container that is read."""


def traces(store: duckdb.DuckDBPyConnection, path: Path, planted: Iterable[str], *others: str) -> list[str]:
    """Return what was planted and is in a store's file, log or tables, or in other texts.

    The bytes are searched too: tables do not show what is left in the blocks of replaced rows.
    """
    log = path.with_name(f"{path.name}.wal")
    contents = [log.read_bytes() if log.exists() else b"", *(text.encode() for text in others)]
    tables = store.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT temporary"
    ).fetchall()
    contents += [str(store.execute(f"FROM {table}").fetchall()).encode() for (table,) in tables]
    store.execute("CHECKPOINT")
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    contents.append(copy.read_bytes())
    copy.unlink()
    searched = b"\n".join(contents).lower()
    return [each for each in planted if each.lower().encode() in searched]
