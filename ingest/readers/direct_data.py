"""Read the files of a Direct Data archive, packed or unpacked.

The files of an archive lie in a folder with `manifest.csv`, at the top of the archive or below a wrapping folder.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ingest.errors import SourceUnreadable
from ingest.readers.csv import read_csv
from ingest.readers.encoding import inspect_file
from ingest.readers.rows import RowSource, SkippedPart

OBJECTS = frozenset({"sync_tracking__v", "user__sys", "vmobile_object_configuration__v", "veeva_settings__v"})
"""The objects that are loaded; an archive may have hundreds of others."""

MANIFEST = "manifest.csv"
FULL_METADATA = "metadata_full.csv"
"""All fields of the Vault, beside the changed ones: not listed in the manifest."""

_OBJECT_FILE = re.compile(r"(?:.*/)?Object/(?P<name>\w+?__(?:v|c|sys))(?:_deletes)?\.csv")
_KNOWN_OBJECT_FILE = re.compile(
    rf"(?P<folder>(?:.*/)?)Object/(?:{'|'.join(sorted(OBJECTS))})(?:_deletes)?\.csv"
)
_DELETIONS_FILE = re.compile(r"(?P<name>\w+)_deletes\.csv", re.IGNORECASE)
_MOST_DELETION_COLUMNS = 4
"""Columns of a list of deletions: an id, a time, and few more."""
_MOST_NAMED = 8
"""Extracts that one line about unused extracts names; the others are counted."""
_NAME = re.compile(
    r"(?P<vault>\d+)-(?P<day>\d{8})-(?P<time>\d{4})-(?P<type>[FNL])(\.tar\.gz|\.tgz)?(\.(?P<part>\d{3}))?"
)


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """The parts of an archive's name: Vault, extract type (F, N or L), and stop time in UTC."""

    vault_id: str
    stop_time: datetime
    extract_type: str
    part: int | None

    @classmethod
    def parse(cls, path: Path | str) -> ArchiveName | None:
        """Parse the name of a file or folder; None if it is not the name of a Direct Data archive."""
        match = _NAME.fullmatch(Path(path).name)
        if not match:
            return None
        try:
            stop = datetime.strptime(match["day"] + match["time"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(match["vault"], stop, match["type"], int(match["part"]) if match["part"] else None)

    @property
    def stop_text(self) -> str:
        """Return the stop time as Vault writes times."""
        return self.stop_time.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Extract:
    """One line of the manifest: an extract, its file, and its expected number of rows."""

    name: str
    deletes: bool
    records: int | None
    file: str


def archive_parts(name: str, siblings: Iterable[str]) -> list[str]:
    """Return the names of all parts of an archive, in order, from the name of one and the names beside it.

    Raises SourceUnreadable if a part is missing.
    """
    parsed = ArchiveName.parse(name)
    if parsed is None or parsed.part is None:
        return [name]
    part = re.compile(re.escape(name[:-4]) + r"\.\d{3}")
    parts = sorted({name, *(sibling for sibling in siblings if part.fullmatch(sibling))})
    numbers = [int(each[-3:]) for each in parts]
    if missing := sorted(set(range(1, max(numbers) + 1)) - set(numbers)):
        raise SourceUnreadable(
            Path(name).name,
            f"part {missing[0]:03} is missing",
            "Download the missing part and load the archive again.",
        )
    return parts


def find_unpacked_archives(files: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the folders among `files` that hold an unpacked archive, each with its files by their path there.

    A folder is "" or ends with a slash. It has a manifest, or the extract of an object that is loaded.
    """
    folders = {name[: -len(MANIFEST)] for name in files if PurePosixPath(name).name == MANIFEST}
    folders = {folder for folder in folders if _is_manifest(files[folder + MANIFEST])}
    folders |= {match["folder"] for name in files if (match := _KNOWN_OBJECT_FILE.fullmatch(name))}
    return {folder: _files_of_archive(files, folder) for folder in sorted(folders)}


def _files_of_archive(files: Mapping[str, Path], folder: str) -> dict[str, Path]:
    inside = {name[len(folder) :]: path for name, path in files.items() if name.startswith(folder)}
    listed = {each.file for each in read_manifest(inside[MANIFEST])} if MANIFEST in inside else set()
    return {
        name: path
        for name, path in inside.items()
        if name in listed or name in (MANIFEST, FULL_METADATA) or is_relevant(name) or is_unused_extract(name)
    }


def _is_manifest(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = {cell.strip(' "') for cell in file.readline(4_096).rstrip("\r\n").split(",")}
    return {"extract", "records", "file"} <= header


def is_unused_extract(name: str) -> bool:
    """Return whether a file of an archive has rows of an object that is not loaded, by its path."""
    match = _OBJECT_FILE.fullmatch(name)
    return match is not None and match["name"] not in OBJECTS


def read_unpacked_archive(
    files: Mapping[str, Path], label: str, archive: ArchiveName | None, *, complete: bool = True
) -> Iterator[RowSource | SkippedPart]:
    """Read the files of an archive: deletions first, then metadata, picklists, logs and objects.

    `files` are its files by their path in it, and `label` precedes the path in the name of a source.
    `complete` is whether all of its files are there, so that one that is absent is missing.
    """
    manifest = files.get(MANIFEST)
    extracts = read_manifest(manifest) if manifest else []
    listed = {extract.file for extract in extracts}
    extracts += [_extract_from_path(name) for name in files if is_relevant(name) and name not in listed]
    for extract in sorted(extracts, key=lambda each: (not each.deletes, each.name, each.file)):
        if not is_relevant(extract.file):
            continue
        file = files.get(extract.file)
        if file is not None:
            yield _source(extract, file, label, archive)
        elif complete and extract.records:
            yield SkippedPart(
                f"{label}{extract.file}",
                f"it is missing: the manifest lists it with {extract.records} rows",
                "Unpack or download the archive again.",
            )
    yield from _unread_files(files, label)


def _unread_files(files: Mapping[str, Path], label: str) -> Iterator[SkippedPart]:
    if MANIFEST in files:
        yield SkippedPart(f"{label}{MANIFEST}", "it is the index of the archive", expected=True)
    if FULL_METADATA in files:
        yield SkippedPart(
            f"{label}{FULL_METADATA}", "it repeats all fields; the changed ones are loaded", expected=True
        )
    unused = [name for name in files if name not in (MANIFEST, FULL_METADATA) and not is_relevant(name)]
    if unused:
        more = f" and {len(unused) - _MOST_NAMED} more" if len(unused) > _MOST_NAMED else ""
        yield SkippedPart(
            f"{label}*",
            f"extracts that SyncLens does not use: {', '.join(sorted(unused)[:_MOST_NAMED])}{more}",
            "Load one of them alone, with --mapping.",
            expected=True,
        )


def read_manifest(path: Path) -> list[Extract]:
    """Read a manifest. A line without `type` is an update; the file of an extract without rows may be blank."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(file)]
    return [
        Extract(
            name=row.get("extract", "").removesuffix("_deletes"),
            deletes=row.get("type") == "deletes" or row.get("extract", "").endswith("_deletes"),
            records=int(row["records"]) if row.get("records", "").isdecimal() else None,
            file=row.get("file", "").lstrip("/"),
        )
        for row in rows
        if row.get("file")
    ]


def _extract_from_path(file: str) -> Extract:
    name = ".".join(PurePosixPath(file).with_suffix("").parts)
    return Extract(name.removesuffix("_deletes"), name.endswith("_deletes"), None, file)


def deleted_object(name: str, header: Iterable[str]) -> str | None:
    """Return the object whose rows a file deletes, from its name and columns; None for other files."""
    match = _DELETIONS_FILE.fullmatch(PurePosixPath(name).name)
    columns = {column.strip().lower() for column in header}
    if not match:
        return None
    if match["name"] == "metadata" and {"extract", "column_name"} <= columns:
        return "Metadata.metadata"
    if match["name"].startswith("picklist") and {"object", "object_field", "picklist_value_name"} <= columns:
        return "Picklist.picklist__sys"
    return match["name"] if "id" in columns and len(columns) <= _MOST_DELETION_COLUMNS else None


def _source(extract: Extract, file: Path, label: str, archive: ArchiveName | None) -> RowSource:
    category, _, name = extract.name.partition(".")
    stop = archive.stop_text if archive else None
    inspection = inspect_file(file)
    source = read_csv(file, inspection.encoding, name=f"{label}{extract.file}")
    source.content_hash = inspection.content_hash
    source.notes += inspection.notes
    source.bulk = source.bulk if inspection.is_clean_utf8 else None
    source.reopen_below_title = None  # these files have no titles
    source.may_be_empty = True
    source.decimal, source.time_zone = ".", "UTC"
    source.may_be_unknown = category == "Log"
    if extract.deletes:
        source.deletes_of = name if category == "Object" else extract.name
        source.defaults = {"deleted_at": stop} if stop else {}
    elif category in ("Metadata", "Picklist") and stop:
        source.defaults = {"as_of": stop}
    source.expected_rows = extract.records
    return source


def is_relevant(name: str) -> bool:
    """Return whether a file of an archive, by its path there, is loaded."""
    path = PurePosixPath(name)
    if path.suffix != ".csv" or len(path.parts) != 2:
        return False
    category = path.parts[0]
    return category in ("Metadata", "Picklist", "Log") or (
        category == "Object" and path.stem.removesuffix("_deletes") in OBJECTS
    )
