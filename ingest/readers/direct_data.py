"""Direct Data archives: taken apart without trusting them, and read in the order that keeps the store true.

Only files that say something to us are unpacked, under names of our own, into a folder that is gone
afterwards; what is in the archive never decides where something is written.
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
"""Bytes of one unpacked file."""
LARGEST_RATIO = 300
"""Unpacked bytes for each packed one; CSV packs five- to fortyfold."""
SMALL = 64 << 20
"""Unpacked bytes below which the ratio does not matter."""

OBJECTS = frozenset({"sync_tracking__v", "user__sys", "vmobile_object_configuration__v", "veeva_settings__v"})
"""The objects of an archive that are taken in; there may be hundreds of others."""

_NAME = re.compile(
    r"(?P<vault>\d+)-(?P<day>\d{8})-(?P<time>\d{4})-(?P<type>[FNL])(\.tar\.gz|\.tgz)?(\.(?P<part>\d{3}))?"
)


@dataclass(frozen=True, slots=True)
class ArchiveName:
    """What the name of an archive tells: whose it is, what it holds (F, N or L), and up to when, in UTC."""

    vault_id: str
    stop_time: datetime
    extract_type: str
    part: int | None

    @classmethod
    def parse(cls, path: Path) -> ArchiveName | None:
        """Read a file name, or give None when it is not one that Vault gives to archives."""
        found = _NAME.fullmatch(path.name)
        if not found:
            return None
        try:
            stop = datetime.strptime(found["day"] + found["time"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(found["vault"], stop, found["type"], int(found["part"]) if found["part"] else None)


@dataclass(frozen=True, slots=True)
class Extract:
    """One line of the manifest: what is in which file, and how many rows it should have."""

    name: str
    deletes: bool
    records: int | None
    file: str


def archive_parts(path: Path) -> list[Path]:
    """Give all parts of the archive that `path` is a part of, in order. Raises SourceUnreadable for a gap."""
    name = ArchiveName.parse(path)
    if name is None or name.part is None:
        return [path]
    parts = sorted(path.parent.glob(f"{path.name[:-4]}.[0-9][0-9][0-9]"))
    numbers = [int(part.name[-3:]) for part in parts]
    if numbers != list(range(1, len(parts) + 1)):
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        raise SourceUnreadable(
            path.name, f"part {missing[0]:03} is missing", "Fetch the missing part and load again."
        )
    return parts


def read_archive(path: Path, *, packed_size: int | None = None) -> Iterator[RowSource]:
    """Read what concerns us of an archive: deletes first, then metadata, picklists, objects and logs.

    Raises SourceUnreadable for a damaged archive and ArchiveUnsafe for one that tries something.
    """
    parts = archive_parts(path)
    packed = packed_size or sum(part.stat().st_size for part in parts)
    label = re.sub(r"\.[0-9]{3}$", "", path.name)
    name = ArchiveName.parse(path)
    stop = name.stop_time.strftime("%Y-%m-%dT%H:%M:%SZ") if name else None
    with TemporaryDirectory(prefix="synclens-") as folder:
        unpacked = _unpack(parts, Path(folder), packed, label)
        manifest = unpacked.pop("manifest.csv", None)
        listed = read_manifest(manifest) if manifest else _guessed(unpacked)
        for extract in sorted(listed, key=lambda each: (not each.deletes, each.name)):
            file = unpacked.get(extract.file)
            if file is not None:
                yield _source(extract, file, label, stop)


def read_manifest(path: Path) -> list[Extract]:
    """Read a manifest; a line without `type` is an update, a file may be blank when it has no rows."""
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


def _guessed(unpacked: dict[str, Path]) -> list[Extract]:
    extracts = []
    for file in unpacked:
        stem = PurePosixPath(file).with_suffix("")
        name = ".".join(stem.parts)
        extracts.append(Extract(name.removesuffix("_deletes"), name.endswith("_deletes"), None, file))
    return extracts


def _source(extract: Extract, file: Path, label: str, stop: str | None) -> RowSource:
    place, _, name = extract.name.partition(".")
    source = read_csv(file, inspect_file(file).encoding, name=f"{label}#{extract.file}")
    source.reopen_below_title = None  # Vault writes no titles here
    if extract.deletes:
        source.deletes_of = name if place == "Object" else extract.name
        source.defaults = {"deleted_at": stop} if stop else {}
    elif place in ("Metadata", "Picklist") and stop:
        source.defaults = {"as_of": stop}
    source.expected_rows = extract.records
    return source


def _unpack(parts: list[Path], folder: Path, packed: int, label: str) -> dict[str, Path]:
    taken: dict[str, Path] = {}
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
                path = folder / f"{len(taken)}.csv"
                _copy(archive.extractfile(member), path)
                taken[_normal(member.name)] = path
            _read_to_the_end(plain, label)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise SourceUnreadable(
            label, f"it is damaged or not whole ({error})", "Fetch it again and load it."
        ) from error
    return taken


def _read_to_the_end(plain: gzip.GzipFile, label: str) -> None:
    # Only the last bytes of a gzip file tell whether all of it came; tar stops reading before them.
    left = 0
    while piece := plain.read(1 << 20):
        left += len(piece)
        if left > SMALL:
            raise ArchiveUnsafe(label, "it goes on and on behind its last file")


def _check(member: tarfile.TarInfo, label: str) -> None:
    path = PurePosixPath(member.name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in member.name
        or ":" in member.name
        or "\0" in member.name
    ):
        raise ArchiveUnsafe(label, f"it wants to write outside its folder ({member.name!r})")
    if not (member.isfile() or member.isdir()):
        raise ArchiveUnsafe(label, f"{member.name!r} is neither a file nor a folder")
    if member.size > LARGEST_MEMBER:
        raise ArchiveUnsafe(label, f"{member.name!r} is too large ({member.size} bytes)")


def is_relevant(name: str) -> bool:
    """Say whether a file of an archive says something to us."""
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
    """Several files read as one, without their being in memory or on disk once more."""

    def __init__(self, parts: list[Path]) -> None:
        self._waiting = list(parts)
        self._open: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._open is None:
                if not self._waiting:
                    return b""
                self._open = self._waiting.pop(0).open("rb")
            if piece := self._open.read(size if size >= 0 else 1 << 20):
                return piece
            self._open.close()
            self._open = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        super().close()
