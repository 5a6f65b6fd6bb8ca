"""Read Direct Data archives, which are not trusted.

Only relevant files are unpacked, under new names, into a temporary folder. The content of an archive never
decides where a file is written.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from ingest.errors import ArchiveUnsafe, SourceUnreadable
from ingest.readers.csv import read_csv
from ingest.readers.encoding import inspect_file
from ingest.readers.rows import RowSource

MOST_MEMBERS = 100_000
LARGEST_MEMBER = 200 << 30
"""Largest unpacked file, in bytes."""
LARGEST_RATIO = 300
"""Largest ratio of unpacked to packed bytes; CSV compresses 5 to 40 times."""
SMALL = 64 << 20
"""Unpacked size, in bytes, below which the ratio is not checked."""

OBJECTS = frozenset({"sync_tracking__v", "user__sys", "vmobile_object_configuration__v", "veeva_settings__v"})
"""The objects that are loaded; an archive may have hundreds of others."""

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
    def parse(cls, path: Path) -> ArchiveName | None:
        """Parse a file name; None if it is not the name of a Direct Data archive."""
        match = _NAME.fullmatch(path.name)
        if not match:
            return None
        try:
            stop = datetime.strptime(match["day"] + match["time"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(match["vault"], stop, match["type"], int(match["part"]) if match["part"] else None)


@dataclass(frozen=True, slots=True)
class Extract:
    """One line of the manifest: an extract, its file, and its expected number of rows."""

    name: str
    deletes: bool
    records: int | None
    file: str


def archive_parts(path: Path) -> list[Path]:
    """Return all parts of an archive, in order, from the path of one. Raises SourceUnreadable for a gap."""
    name = ArchiveName.parse(path)
    if name is None or name.part is None:
        return [path]
    parts = sorted(path.parent.glob(f"{path.name[:-4]}.[0-9][0-9][0-9]"))
    numbers = [int(part.name[-3:]) for part in parts]
    if numbers != list(range(1, len(parts) + 1)):
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        raise SourceUnreadable(
            path.name,
            f"part {missing[0]:03} is missing",
            "Download the missing part and load the archive again.",
        )
    return parts


def read_archive(path: Path, *, packed_size: int | None = None) -> Iterator[RowSource]:
    """Read the relevant extracts of an archive: deletions first, then metadata, picklists, objects and logs.

    Raises SourceUnreadable if the archive is damaged, and ArchiveUnsafe if it is not safe to unpack.
    """
    parts = archive_parts(path)
    packed = packed_size or sum(part.stat().st_size for part in parts)
    label = re.sub(r"\.[0-9]{3}$", "", path.name)
    name = ArchiveName.parse(path)
    stop = name.stop_time.strftime("%Y-%m-%dT%H:%M:%SZ") if name else None
    with TemporaryDirectory(prefix="synclens-") as folder:
        unpacked = _unpack(parts, Path(folder), packed, label)
        manifest = unpacked.pop("manifest.csv", None)
        extracts = read_manifest(manifest) if manifest else _extracts_from_paths(unpacked)
        for extract in sorted(extracts, key=lambda each: (not each.deletes, each.name)):
            file = unpacked.get(extract.file)
            if file is not None:
                yield _source(extract, file, label, stop)


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


def _extracts_from_paths(unpacked: dict[str, Path]) -> list[Extract]:
    extracts = []
    for file in unpacked:
        stem = PurePosixPath(file).with_suffix("")
        name = ".".join(stem.parts)
        extracts.append(Extract(name.removesuffix("_deletes"), name.endswith("_deletes"), None, file))
    return extracts


def _source(extract: Extract, file: Path, label: str, stop: str | None) -> RowSource:
    category, _, name = extract.name.partition(".")
    source = read_csv(file, inspect_file(file).encoding, name=f"{label}#{extract.file}")
    source.reopen_below_title = None  # these files have no titles
    if extract.deletes:
        source.deletes_of = name if category == "Object" else extract.name
        source.defaults = {"deleted_at": stop} if stop else {}
    elif category in ("Metadata", "Picklist") and stop:
        source.defaults = {"as_of": stop}
    source.expected_rows = extract.records
    return source


def _unpack(parts: list[Path], folder: Path, packed: int, label: str) -> dict[str, Path]:
    unpacked: dict[str, Path] = {}
    total = 0
    try:
        with (
            _Joined(parts) as joined,
            gzip.GzipFile(fileobj=joined, mode="rb") as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            for count, member in enumerate(archive):
                if count >= MOST_MEMBERS:
                    raise ArchiveUnsafe(label, f"it has more than {MOST_MEMBERS} files")
                _check(member, label)
                total += member.size
                if total > max(SMALL, packed * LARGEST_RATIO):
                    raise ArchiveUnsafe(label, f"it unpacks to more than {LARGEST_RATIO} times its size")
                if not member.isfile() or not is_relevant(member.name):
                    continue
                path = folder / f"{len(unpacked)}.csv"
                _copy(archive.extractfile(member), path)
                unpacked[_normal(member.name)] = path
            _read_to_the_end(plain, label)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise SourceUnreadable(
            label, f"it is damaged or incomplete ({error})", "Download it again and load it."
        ) from error
    return unpacked


def _read_to_the_end(plain: gzip.GzipFile, label: str) -> None:
    # Only the last bytes of a gzip file show that it is complete; tar stops reading before them.
    left = 0
    while piece := plain.read(1 << 20):
        left += len(piece)
        if left > SMALL:
            raise ArchiveUnsafe(label, "it has too much data after its last file")


def _check(member: tarfile.TarInfo, label: str) -> None:
    path = PurePosixPath(member.name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in member.name
        or ":" in member.name
        or "\0" in member.name
    ):
        raise ArchiveUnsafe(label, f"it would write outside its folder ({member.name!r})")
    if not (member.isfile() or member.isdir()):
        raise ArchiveUnsafe(label, f"{member.name!r} is neither a file nor a folder")
    if member.size > LARGEST_MEMBER:
        raise ArchiveUnsafe(label, f"{member.name!r} is too large ({member.size} bytes)")


def is_relevant(name: str) -> bool:
    """Return whether a file of an archive is loaded."""
    path = PurePosixPath(_normal(name))
    if path.suffix != ".csv":
        return False
    if str(path) == "manifest.csv":
        return True
    if len(path.parts) != 2:
        return False
    return path.parts[0] in ("Metadata", "Picklist", "Log") or (
        path.parts[0] == "Object" and path.stem.removesuffix("_deletes") in OBJECTS
    )


def _normal(name: str) -> str:
    return name.removeprefix("./")


def _copy(source: IO[bytes] | None, to: Path) -> None:
    with source or io.BytesIO() as opened, to.open("wb") as file:
        while piece := opened.read(1 << 20):
            file.write(piece)


class _Joined(io.RawIOBase):
    """Several files read as one, without another copy in memory or on disk."""

    def __init__(self, parts: list[Path]) -> None:
        self._remaining = list(parts)
        self._open: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._open is None:
                if not self._remaining:
                    return b""
                self._open = self._remaining.pop(0).open("rb")
            if piece := self._open.read(size if size >= 0 else 1 << 20):
                return piece
            self._open.close()
            self._open = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        super().close()
