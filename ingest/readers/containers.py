"""Unpack archives and compressed files, which are not trusted.

Members are written under new names into a private folder: the content of an archive never decides where a file
is written. All that one file unpacks to, with every archive inside it, counts against one budget.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

import pyarrow as pa  # type: ignore[import-untyped]

from ingest.errors import ArchiveUnsafe, SourceUnreadable
from ingest.readers.formats import COMPRESSED, identify_head
from ingest.readers.rows import SkippedPart

MOST_MEMBERS = 100_000
MOST_NESTED = 4
"""Archives and compressed files within each other."""
LARGEST_MEMBER = 200 << 30
"""Largest unpacked file, in bytes."""
LARGEST_RATIO = 300
"""Largest ratio of unpacked to packed bytes: text compresses 5 to 50 times, a ZIP bomb 1,000 times."""
SMALL = 16 << 20
"""Unpacked size, in bytes, below which the ratio is not checked."""

_CHUNK = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SUFFIX = re.compile(r"\.(?:gz|gzip|bz2|xz|zst|zstd)$", re.IGNORECASE)
_TAR_SUFFIXES = {".tgz": ".tar", ".tbz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".tzst": ".tar"}
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)

Wanted = Callable[[str], bool]


@dataclass(slots=True)
class Budget:
    """What a file may still unpack to: `bytes_left` and `members_left` are shared by all nested archives."""

    name: str
    bytes_left: int
    members_left: int = MOST_MEMBERS

    @classmethod
    def for_packed_size(cls, name: str, packed: int) -> Budget:
        """Return the budget of a file of `packed` bytes."""
        return cls(name, max(SMALL, packed * LARGEST_RATIO))

    def check_size(self, size: int) -> None:
        """Raise ArchiveUnsafe if `size` more bytes exceed the budget."""
        if size > min(self.bytes_left, LARGEST_MEMBER):
            raise ArchiveUnsafe(self.name, f"it unpacks to more than {LARGEST_RATIO} times its size")

    def count_bytes(self, size: int) -> None:
        """Count unpacked bytes. Raises ArchiveUnsafe if they exceed the budget."""
        self.check_size(size)
        self.bytes_left -= size

    def count_member(self) -> None:
        """Count one member. Raises ArchiveUnsafe if there are too many."""
        self.members_left -= 1
        if self.members_left < 0:
            raise ArchiveUnsafe(self.name, f"it has more than {MOST_MEMBERS} files")


@dataclass(slots=True)
class Unpacked:
    """The files of an archive, by their path in it, and the members that were not unpacked.

    `single` is whether the source is one compressed file instead of an archive.
    """

    files: dict[str, Path] = field(default_factory=dict)
    skipped: list[SkippedPart] = field(default_factory=list)
    single: bool = False

    def next_path(self, folder: Path) -> Path:
        """Return a new path in the folder for the next member."""
        return folder / f"{len(self.files)}"


def unpack(
    volumes: Sequence[Path], form: str, name: str, folder: Path, budget: Budget, *, is_wanted: Wanted
) -> Unpacked:
    """Unpack an archive, or a compressed file, into an empty folder.

    `volumes` are the parts of one file, in order, and `form` is its format. Only members whose path `is_wanted`
    are written. Raises SourceUnreadable if the file is damaged, and ArchiveUnsafe if it is not safe to unpack.
    """
    try:
        if form == "zip":
            return _unpack_zip(volumes[0], name, folder, budget, is_wanted)
        with _open_stream(volumes, form) as stream:
            head = stream.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
            if form in COMPRESSED and identify_head(head).name != "tar":
                return _unpack_single(stream, name, folder, budget)
            unpacked = _unpack_tar(stream, name, folder, budget, is_wanted)
            _read_to_the_end(stream, budget)
            return unpacked
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise SourceUnreadable(
            name, f"it is damaged or incomplete ({reason})", "Copy or download it again, and load it."
        ) from error


@contextmanager
def _open_stream(volumes: Sequence[Path], form: str) -> Iterator[io.BufferedReader]:
    with ExitStack() as stack:
        raw = cast("BinaryIO", stack.enter_context(_Joined(volumes)))
        plain = stack.enter_context(_decompress(raw, form))
        yield stack.enter_context(io.BufferedReader(cast("io.RawIOBase", plain), _CHUNK))


def _decompress(raw: BinaryIO, form: str) -> IO[bytes]:
    match form:
        case "gzip":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb"))
        case "bzip2":
            return bz2.BZ2File(raw)
        case "xz":
            return lzma.LZMAFile(raw)
        case "zstd":
            return cast("IO[bytes]", _Zstd(raw))
        case _:
            return raw


def _unpack_single(stream: IO[bytes], name: str, folder: Path, budget: Budget) -> Unpacked:
    unpacked = Unpacked(single=True)
    budget.count_member()
    path = unpacked.next_path(folder)
    _copy(stream, path, budget)
    unpacked.files[_name_without_suffix(name)] = path
    return unpacked


def _name_without_suffix(name: str) -> str:
    last = re.split(r"[/#]", name)[-1]
    for short, long in _TAR_SUFFIXES.items():
        if last.lower().endswith(short):
            return last[: -len(short)] + long
    return _SUFFIX.sub("", last) or last


def _unpack_tar(stream: IO[bytes], name: str, folder: Path, budget: Budget, is_wanted: Wanted) -> Unpacked:
    unpacked = Unpacked()
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            budget.count_member()
            path = check_member_path(member.name, name)
            if not (member.isfile() or member.isdir()):
                raise ArchiveUnsafe(name, f"{member.name!r} is neither a file nor a folder")
            budget.check_size(member.size)
            if not member.isfile() or not is_wanted(path):
                budget.count_bytes(member.size)
                continue
            target = unpacked.next_path(folder)
            with archive.extractfile(member) or io.BytesIO() as source:
                _copy(source, target, budget)
            unpacked.files[path] = target
    return unpacked


def _unpack_zip(path: Path, name: str, folder: Path, budget: Budget, is_wanted: Wanted) -> Unpacked:
    unpacked = Unpacked()
    with zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if not each.is_dir()]
        for member in members:
            budget.count_member()
            check_member_path(member.filename, name)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ArchiveUnsafe(name, f"{member.filename!r} is neither a file nor a folder")
        budget.check_size(sum(member.file_size for member in members))
        for member in members:
            inner = check_member_path(member.filename, name)
            if not is_wanted(inner):
                continue
            part = f"{name}#{inner}"
            if member.flag_bits & 0x1:
                unpacked.skipped.append(
                    SkippedPart(part, "it is encrypted", "Unpack it with its password, and load the files.")
                )
                continue
            target = unpacked.next_path(folder)
            try:
                with archive.open(member) as source:
                    _copy(source, target, budget)
            except NotImplementedError as error:
                unpacked.skipped.append(
                    SkippedPart(part, f"it cannot be unpacked ({error})", "Unpack it, and load the folder.")
                )
            except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
                unpacked.skipped.append(
                    SkippedPart(part, f"it is damaged ({error})", "Copy or download it again, and load it.")
                )
            else:
                unpacked.files[inner] = target
    return unpacked


def check_zip_sizes(path: Path, name: str) -> None:
    """Raise ArchiveUnsafe if a ZIP file unpacks to an extreme size, by what it states about its members."""
    with zipfile.ZipFile(path) as archive:
        budget = Budget.for_packed_size(name, path.stat().st_size)
        budget.check_size(sum(member.file_size for member in archive.infolist()))


def check_member_path(member: str, archive: str) -> str:
    """Return the path of a member with slashes. Raises ArchiveUnsafe if it leads out of the archive."""
    path = PurePosixPath(member.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in member or _DRIVE.match(member):
        raise ArchiveUnsafe(archive, f"it would write outside its folder ({member!r})")
    return str(path)


def _copy(source: IO[bytes], to: Path, budget: Budget) -> None:
    with to.open("wb") as file:
        while piece := source.read(_CHUNK):
            budget.count_bytes(len(piece))
            file.write(piece)


def _read_to_the_end(stream: IO[bytes], budget: Budget) -> None:
    # Only the last bytes of a compressed file show that it is complete; tar stops reading before them.
    left = 0
    while piece := stream.read(_CHUNK):
        left += len(piece)
        if left > SMALL:
            raise ArchiveUnsafe(budget.name, "it has too much data after its last file")


class _Joined(io.RawIOBase):
    """Several files read as one, without another copy in memory or on disk."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._remaining = list(parts)
        self._open: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._open is None:
                if not self._remaining:
                    return b""
                self._open = self._remaining.pop(0).open("rb")
            if piece := self._open.read(size if size >= 0 else _CHUNK):
                return piece
            self._open.close()
            self._open = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        super().close()


class _Zstd(io.RawIOBase):
    """A stream of Zstandard, which Python has from 3.14 on; pyarrow reads it before."""

    def __init__(self, raw: BinaryIO) -> None:
        self._stream = pa.CompressedInputStream(raw, "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        piece: bytes = self._stream.read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()
