"""Direct Data: daily full files, incremental files every 15 minutes, and audit trail files.

A file is built when it is first listed and does not change afterwards, like a published file. The names of the log
extracts, the booleans and the line ends are ours; Vault's are not published.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api import audits
from sync_engine.vault_api.messages import (
    Reply,
    failure_reply,
    file_reply,
    format_timestamp,
    parse_timestamp,
    success_reply,
)
from sync_engine.vault_api.metadata import picklist_values
from sync_engine.vault_api.objects import VAULT_ID, Field, Object, format_label
from sync_engine.vault_api.records import find_deleted
from sync_engine.vault_api.server_state import ApiCall

QUARTER, DAY = 900.0, 86400.0
FULL_START = 946_684_800.0  # 2000-01-01, the documented start of every full file
_EMPTY_INCREMENT = "an increment without changes"
LETTERS = {"full_directdata": "F", "incremental_directdata": "N", "log_directdata": "L"}
KEPT_DAYS = {"full_directdata": 2, "incremental_directdata": 10, "log_directdata": 2}
TYPES = {"ID": "String", "Object": "Relationship", "RichText": "LongText"}
"""Types of Direct Data for the types of the metadata API, if they differ."""


@dataclass(slots=True)
class Extract:
    """One CSV file of an archive."""

    name: str
    label: str
    columns: list[str]
    rows: list[JsonDict] = field(default_factory=list)
    kind: str = "updates"

    @property
    def path(self) -> str:
        """Return the path of the CSV file in the archive."""
        suffix = "_deletes" if self.kind == "deletes" else ""
        return self.name.replace(".", "/", 1) + f"{suffix}.csv"


def list_files(call: ApiCall) -> Reply:
    """Handle `GET /services/directdata/files`: list the available files.

    Parameters are `extract_type`, `start_time` and `stop_time`.
    """
    parameters = call.request.query
    kind = parameters.get("extract_type", "incremental_directdata")
    if kind not in LETTERS:
        raise VaultError(
            "INVALID_DATA", f"[{kind}] is not a valid extract_type; use one of {', '.join(LETTERS)}"
        )
    since = parse_timestamp(parameters["start_time"]) if parameters.get("start_time") else 0.0
    until = parse_timestamp(parameters["stop_time"]) if parameters.get("stop_time") else call.now
    stops = [
        stop for stop in _stop_times(kind, call.now) if stop <= until and _start_time(kind, stop) >= since
    ]
    failed_count = call.server.faults.setting("unpublished") if kind == "incremental_directdata" else 0
    changes = _changes_by_quarter(call) if kind == "incremental_directdata" else {}
    data = []
    for index, stop in enumerate(stops):
        if index >= len(stops) - failed_count:
            error_message = f"Failed to publish {kind} file. No other action is needed at this time."
            data.append(
                {
                    "name": _file_name(kind, stop),
                    "error": {"next_retry": _format_minute(stop + 1800), "message": error_message},
                }
            )
        else:
            data.append(_file_entry(call, kind, stop, changes.get(stop, ({}, {}))))
    return success_reply({"responseDetails": {"total": len(data)}, "data": data})


def download_part(call: ApiCall) -> Reply:
    """Handle `GET /services/directdata/files/{part}`: return bytes, or JSON on failure."""
    name, _, number = call.args["part"].rpartition(".")
    packed = call.server.files.get(name)
    parts = _split_parts(call, packed[1]) if packed else []
    if not number.isdigit() or not 1 <= int(number) <= len(parts):
        raise VaultError(
            "INVALID_DATA", f"The file [{call.args['part']}] does not exist; list the files first"
        )
    if call.server.faults.applies_to_first("fail-part"):
        return failure_reply(
            VaultError("UNEXPECTED_ERROR", "The file part could not be read"), response="EXCEPTION"
        )
    return file_reply(f"{name}.tar.gz.{number}", parts[int(number) - 1])


def _stop_times(kind: str, now: float) -> list[float]:
    step = QUARTER if kind == "incremental_directdata" else DAY
    last = int(now // step)
    return [n * step for n in range(last - int(KEPT_DAYS[kind] * DAY // step) + 1, last + 1)]


def _start_time(kind: str, stop: float) -> float:
    step = QUARTER if kind == "incremental_directdata" else DAY
    return FULL_START if kind == "full_directdata" else stop - step


def _file_name(kind: str, stop: float) -> str:
    return f"{VAULT_ID}-{datetime.fromtimestamp(stop, UTC):%Y%m%d-%H%M}-{LETTERS[kind]}"


def _format_minute(at: float) -> str:
    """Format a time as file listings do: UTC, without seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _split_parts(call: ApiCall, packed: bytes) -> list[bytes]:
    size = call.server.part_bytes
    return [packed[at : at + size] for at in range(0, len(packed), size)]


Changes = dict[str, list[JsonDict]]


def _changes_by_quarter(call: ApiCall) -> dict[float, tuple[Changes, Changes]]:
    """Return changed and deleted rows by object, for each 15-minute interval.

    The keys are the ends of the intervals.
    """
    changes: dict[float, tuple[Changes, Changes]] = {}
    for source in call.list_objects().values():
        for row in source.rows():
            at = parse_timestamp(row["modified_date__v"])
            changes.setdefault(ceil(at / QUARTER) * QUARTER, ({}, {}))[0].setdefault(source.name, []).append(
                row
            )
        for record_id, at in find_deleted(call, source.name):
            row = {"id": record_id, "deleted_date": format_timestamp(at)}
            changes.setdefault(ceil(at / QUARTER) * QUARTER, ({}, {}))[1].setdefault(source.name, []).append(
                row
            )
    return changes


def _file_entry(call: ApiCall, kind: str, stop: float, changes: tuple[Changes, Changes]) -> JsonDict:
    name, start = _file_name(kind, stop), _start_time(kind, stop)
    if name not in call.server.files:
        call.server.files[name] = _publish_file(call, kind, stop, changes)
    total, packed = call.server.files[name]
    parts = []
    for number, part in enumerate(_split_parts(call, packed), start=1):
        address = f"{call.request.base}{call.url('/services/directdata/files')}/{name}.{number:03d}"
        entry: JsonDict = {
            "name": f"{name}.{number:03d}",
            "filename": f"{name}.tar.gz.{number:03d}",
            "filepart": number,
            "size": len(part),
        }
        if not call.server.faults.setting("no-md5"):
            entry["md5checksum"] = hashlib.md5(part, usedforsecurity=False).hexdigest()
        parts.append(entry | {"url": address})
    times = {"start_time": _format_minute(start), "stop_time": _format_minute(stop)}
    attributes = {"name": name, "filename": f"{name}.tar.gz", "extract_type": kind} | times
    sizes = {"record_count": total, "size": len(packed), "fileparts": len(parts)}
    return attributes | sizes | {"filepart_details": parts}


def _publish_file(
    call: ApiCall, kind: str, stop: float, changes: tuple[Changes, Changes]
) -> tuple[int, bytes]:
    """Build a new file and return its row count and bytes.

    All incremental files without changes share the same bytes.
    """
    empty = kind == "incremental_directdata" and not any(changes)
    if empty and _EMPTY_INCREMENT in call.server.files:
        return call.server.files[_EMPTY_INCREMENT]
    extracts = list(_build_extracts(call, kind, stop, changes))
    total = sum(len(extract.rows) for extract in extracts if not extract.name.startswith("Metadata"))
    published = (total, _pack_archive(call, kind, extracts))
    if empty:
        call.server.files[_EMPTY_INCREMENT] = published
    return published


def _build_extracts(
    call: ApiCall, kind: str, stop: float, changes: tuple[Changes, Changes]
) -> Iterator[Extract]:
    if kind == "log_directdata":
        for name, columns in audits.COLUMNS.items():
            if name != "domain_audit_trail":
                rows = [row for at, row in audits.iterate_trail(call, name) if stop - DAY < at <= stop]
                yield Extract(f"Log.{name}", format_label(name + "__v"), columns, rows)
        return
    objects = sorted(call.list_objects().values(), key=lambda source: source.name)
    full = kind == "full_directdata"
    yield Extract(
        "Metadata.metadata", "Metadata", _METADATA_COLUMNS, list(_metadata_rows(objects)) if full else []
    )
    for source in objects:
        columns = _columns(source)
        rows = _rows_created_before(source, stop) if full else changes[0].get(source.name, [])
        yield Extract(f"Object.{source.name}", source.label, columns, rows)
        deleted_rows = [] if full else changes[1].get(source.name, [])
        if not full:
            yield Extract(
                f"Object.{source.name}", source.label, ["id", "deleted_date"], deleted_rows, "deletes"
            )
    yield Extract(
        "Picklist.picklist__sys", "Picklist", _PICKLIST_COLUMNS, list(_picklist_rows(objects)) if full else []
    )


def _rows_created_before(source: Object, stop: float) -> list[JsonDict]:
    limit = str(format_timestamp(stop))
    return [row for row in source.rows() if str(row["created_date__v"]) <= limit]


def _columns(source: Object) -> list[str]:
    """Return the columns of an object: standard columns first, then the others by name."""
    first = [
        "id",
        "modified_date__v",
        "name__v",
        "status__v",
        "created_by__v",
        "created_date__v",
        "modified_by__v",
        "global_id__sys",
        "link__sys",
    ]
    standard = [name for name in first if name in source.fields]
    return standard + sorted(set(source.fields) - set(standard))


_METADATA_COLUMNS = [
    "modified_date",
    "extract",
    "extract_label",
    "column_name",
    "column_label",
    "type",
    "length",
    "related_extract",
]
_PICKLIST_COLUMNS = [
    "modified_date__v",
    "object",
    "object_field",
    "picklist_value_name",
    "picklist_value_label",
    "status__v",
]


def _metadata_rows(objects: Iterable[Object]) -> Iterator[JsonDict]:
    for source in objects:
        for name in _columns(source):
            spec = source.fields[name]
            related = (
                "Picklist.picklist__sys"
                if spec.type == "Picklist"
                else f"Object.{spec.to}"
                if spec.to
                else None
            )
            attributes = {
                "extract": f"Object.{source.name}",
                "extract_label": source.label,
                "column_name": name,
            }
            kind = "MultiPicklist" if spec.multi_value else TYPES.get(spec.type, spec.type)
            yield (
                attributes
                | {"column_label": format_label(name), "type": kind}
                | _length(spec)
                | {"related_extract": related}
            )


def _length(spec: Field) -> JsonDict:
    return (
        {"length": spec.length or (20 if spec.type == "ID" else None)}
        if spec.type in ("String", "LongText", "ID")
        else {}
    )


def _picklist_rows(objects: Iterable[Object]) -> Iterator[JsonDict]:
    for source in objects:
        for spec in source.fields.values():
            for value in picklist_values(source, spec) if spec.type == "Picklist" else ():
                attributes = {"object": source.name, "object_field": spec.name, "picklist_value_name": value}
                yield attributes | {"picklist_value_label": format_label(value), "status__v": "active__v"}


def _pack_archive(call: ApiCall, kind: str, extracts: list[Extract]) -> bytes:
    """Build the archive. The same content always produces the same bytes."""
    files = {"manifest.csv": _manifest_csv(kind, extracts)}
    if kind != "full_directdata":
        objects = sorted(call.list_objects().values(), key=lambda source: source.name)
        files["metadata_full.csv"] = _to_csv(_METADATA_COLUMNS, _metadata_rows(objects))
    files |= {extract.path: _to_csv(extract.columns, extract.rows) for extract in extracts if extract.rows}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, body in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def _manifest_csv(kind: str, extracts: list[Extract]) -> bytes:
    """Build the manifest of an archive. Only incremental files distinguish updates and deletes."""
    columns = ["extract", "extract_label", "type", "records", "file"]
    rows = [
        {
            "extract": extract.name,
            "extract_label": extract.label,
            "type": extract.kind,
            "records": len(extract.rows),
        }
        | {"file": extract.path if extract.rows else None}
        for extract in extracts
    ]
    return _to_csv(columns if kind == "incremental_directdata" else [c for c in columns if c != "type"], rows)


def _to_csv(columns: list[str], rows: Iterable[JsonDict]) -> bytes:
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_to_cell(row.get(name)) for name in columns] for row in rows)
    return "".join(lines.written).encode("utf-8", "replace")


@dataclass(slots=True)
class _Lines:
    """Ends lines with LF. A writer that does so itself would not quote a CR within a value."""

    written: list[str] = field(default_factory=list)

    def write(self, line: str) -> None:
        self.written.append(line.removesuffix("\r\n") + "\n")


def _to_cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else value
