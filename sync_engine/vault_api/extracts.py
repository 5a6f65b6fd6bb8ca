"""The contents of Direct Data archives: extracts, manifest and metadata.

The names of the log extracts, the booleans and the line ends are ours; Vault's are not published.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import ceil

from sync_engine.json_docs import JsonDict, from_json
from sync_engine.vault_api import audits
from sync_engine.vault_api.components import picklist_values
from sync_engine.vault_api.configuration_objects import creation_time
from sync_engine.vault_api.messages import format_timestamp, parse_timestamp, to_csv
from sync_engine.vault_api.objects import Field, Object, format_label
from sync_engine.vault_api.records import find_deleted
from sync_engine.vault_api.server_state import ApiCall

QUARTER, DAY = 900.0, 86400.0
TYPES = {"ID": "String", "Object": "Relationship", "RichText": "LongText"}
"""Types of Direct Data for the types of the metadata API, if they differ."""
Changes = dict[str, list[JsonDict]]
MANIFEST_COLUMNS = ["extract", "extract_label", "type", "records", "file"]
METADATA_COLUMNS = [
    "modified_date", "extract", "extract_label", "column_name", "column_label", "type", "length", "related_extract",
]  # fmt: skip
METADATA_DELETE_COLUMNS = ["deleted_date", *METADATA_COLUMNS[1:]]
PICKLIST_COLUMNS = [
    "modified_date__v", "object", "object_field", "picklist_value_name", "picklist_value_label", "status__v",
]  # fmt: skip
_FIRST_COLUMNS = (
    "id", "modified_date__v", "name__v", "status__v", "created_by__v", "created_date__v", "modified_by__v",
    "global_id__sys", "link__sys",
)  # fmt: skip
_LONG_COLUMNS = {
    "old_value",
    "new_value",
    "old_display_value",
    "new_display_value",
    "event_description",
    "reason",
}


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


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that was added, changed or removed at a time in seconds."""

    at: float
    object: str
    field: str
    added: bool
    removed: bool


@dataclass(slots=True)
class WindowChanges:
    """What changed in one window of 15 minutes."""

    updates: Changes = field(default_factory=dict)
    deletes: Changes = field(default_factory=dict)
    fields: list[FieldChange] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.updates or self.deletes or self.fields)


def find_changes(call: ApiCall) -> dict[float, WindowChanges]:
    """Return the changes of each 15-minute window. The keys are the ends of the windows, in seconds."""
    windows: dict[float, WindowChanges] = {}

    def window(at: float) -> WindowChanges:
        return windows.setdefault(ceil(at / QUARTER) * QUARTER, WindowChanges())

    for source in call.list_objects().values():
        for row in source.rows():
            updates = window(parse_timestamp(row["modified_date__v"])).updates
            updates.setdefault(source.name, []).append(row)
        for record_id, at in find_deleted(call, source.name):
            row = {"id": record_id, "deleted_date": format_timestamp(at)}
            window(at).deletes.setdefault(source.name, []).append(row)
    for change in find_field_changes(call):
        window(change.at).fields.append(change)
    return windows


def find_field_changes(call: ApiCall) -> Iterator[FieldChange]:
    """Yield the changes of fields, oldest first."""
    for (text,) in call.vault.db.execute("SELECT doc FROM audit ORDER BY at, change_id").fetchall():
        doc = from_json(text)
        if doc["kind"] == "field" and doc["object"] and doc["field"]:
            at, added, removed = float(doc["changed_at"]), doc["before"] is None, doc["after"] is None
            yield FieldChange(at, doc["object"], doc["field"], added, removed)


def build_full_extracts(call: ApiCall, stop: float) -> Iterator[Extract]:
    """Yield the extracts of a full file: all metadata, all records created before `stop`, all picklists."""
    objects = _objects_at(call, stop)
    metadata = [
        *_metadata_rows(objects),
        *_column_rows("Picklist.picklist__sys", "Picklist", PICKLIST_COLUMNS),
    ]
    yield Extract("Metadata.metadata", "Metadata", METADATA_COLUMNS, metadata)
    for source in objects:
        rows = _rows_created_before(source, stop)
        yield Extract(f"Object.{source.name}", source.label, _columns(source), rows)
    yield Extract("Picklist.picklist__sys", "Picklist", PICKLIST_COLUMNS, list(_picklist_rows(call, objects)))


def build_incremental_extracts(call: ApiCall, changes: WindowChanges, stop: float) -> Iterator[Extract]:
    """Yield the extracts of an incremental file: changed fields, records and picklists, and what was deleted."""
    objects = _objects_at(call, stop)
    changed = {(change.object, change.field): change for change in changes.fields}
    updates = [
        row | {"modified_date": format_timestamp(changed[key].at)}
        for source in objects
        for row in _metadata_rows([source])
        if (key := (source.name, row["column_name"])) in changed
    ]
    deletes = [
        {
            "extract": f"Object.{change.object}",
            "extract_label": format_label(change.object),
            "column_name": change.field,
            "column_label": format_label(change.field),
            "deleted_date": format_timestamp(change.at),
        }
        for change in changed.values()
        if change.removed
    ]
    yield Extract("Metadata.metadata", "Metadata", METADATA_COLUMNS, updates)
    yield Extract("Metadata.metadata", "Metadata", METADATA_DELETE_COLUMNS, deletes, "deletes")
    for source in objects:
        name, label = f"Object.{source.name}", source.label
        yield Extract(name, label, _columns(source), changes.updates.get(source.name, []))
        yield Extract(name, label, ["id", "deleted_date"], changes.deletes.get(source.name, []), "deletes")
    picklists = [
        row | {"modified_date__v": format_timestamp(changed[key].at)}
        for row in _picklist_rows(call, objects)
        if (key := (row["object"], row["object_field"])) in changed
    ]
    yield Extract("Picklist.picklist__sys", "Picklist", PICKLIST_COLUMNS, picklists)


def build_log_extracts(call: ApiCall, stop: float) -> Iterator[Extract]:
    """Yield the extracts of a log file: each audit trail of the day before `stop`, but not that of the domain."""
    for name, columns in audits.COLUMNS.items():
        if name != "domain_audit_trail":
            rows = [row for at, row in audits.iterate_trail(call, name) if stop - DAY < at <= stop]
            yield Extract(f"Log.{name}", format_label(name + "__v"), columns, rows)


def pack_archive(call: ApiCall, extracts: list[Extract], stop: float, *, full: bool) -> bytes:
    """Build the archive. The same content always produces the same bytes."""
    files = {"manifest.csv": to_csv(MANIFEST_COLUMNS, map(_manifest_row, extracts))}
    if not full:
        rows = list(_metadata_rows(_objects_at(call, stop)))
        rows += _column_rows("Picklist.picklist__sys", "Picklist", PICKLIST_COLUMNS)
        for extract in extracts:
            if extract.name.startswith("Log."):
                rows += _column_rows(extract.name, extract.label, extract.columns)
        files["metadata_full.csv"] = to_csv(METADATA_COLUMNS, rows)
    files |= {extract.path: to_csv(extract.columns, extract.rows) for extract in extracts if extract.rows}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, body in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def _manifest_row(extract: Extract) -> JsonDict:
    """Return the manifest row of an extract.

    Veeva's loader needs `type` in every file, although the pages document it for incremental files only.
    """
    return {
        "extract": extract.name,
        "extract_label": extract.label,
        "type": extract.kind,
        "records": len(extract.rows),
        "file": extract.path if extract.rows else None,
    }


def _objects_at(call: ApiCall, stop: float) -> list[Object]:
    """Return the objects by name, without the fields that were added after `stop`."""
    first_changes: dict[tuple[str, str], FieldChange] = {}
    for change in find_field_changes(call):
        if change.at > stop:
            first_changes.setdefault((change.object, change.field), change)
    later = {key for key, change in first_changes.items() if change.added}
    return [
        replace(source, fields={k: v for k, v in source.fields.items() if (source.name, k) not in later})
        for source in sorted(call.list_objects().values(), key=lambda source: source.name)
    ]


def _rows_created_before(source: Object, stop: float) -> list[JsonDict]:
    limit = str(format_timestamp(stop))
    return [row for row in source.rows() if str(row["created_date__v"]) <= limit]


def _columns(source: Object) -> list[str]:
    """Return the columns of an object: standard columns first, then the others by name."""
    standard = [name for name in _FIRST_COLUMNS if name in source.fields]
    return standard + sorted(set(source.fields) - set(standard))


def _metadata_rows(objects: Iterable[Object]) -> Iterator[JsonDict]:
    for source in objects:
        for name in _columns(source):
            spec = source.fields[name]
            related = f"Object.{spec.to}" if spec.to else None
            yield {
                "extract": f"Object.{source.name}",
                "extract_label": source.label,
                "column_name": name,
                "column_label": spec.label,
                "type": "MultiPicklist" if spec.multi_value else TYPES.get(spec.type, spec.type),
                "length": _length(spec),
                "related_extract": "Picklist.picklist__sys" if spec.type == "Picklist" else related,
            }


def _column_rows(extract: str, label: str, columns: Iterable[str]) -> Iterator[JsonDict]:
    """Yield metadata rows for an extract that is no object. Veeva's loader makes its tables from them."""
    for name in columns:
        long = name in _LONG_COLUMNS
        time = name in ("timestamp", "modified_date__v")
        yield {
            "extract": extract,
            "extract_label": label,
            "column_name": name,
            "column_label": format_label(name),
            "type": "DateTime" if time else "LongText" if long else "String",
            "length": None if time else 32_000 if long else 255,
        }


def _length(spec: Field) -> int | None:
    if spec.type == "ID":
        return spec.length or 20
    return spec.length if spec.type in ("String", "LongText", "RichText") else None


def _picklist_rows(call: ApiCall, objects: Iterable[Object]) -> Iterator[JsonDict]:
    created = format_timestamp(creation_time(call.vault))
    for source in objects:
        for spec in source.fields.values():
            for value in picklist_values(source, spec) if spec.type == "Picklist" else ():
                yield {
                    "modified_date__v": created,
                    "object": source.name,
                    "object_field": spec.name,
                    "picklist_value_name": value,
                    "picklist_value_label": format_label(value),
                    "status__v": "active__v",
                }
