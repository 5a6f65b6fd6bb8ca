"""Open what a user has: a file, a folder, a container or standard input, by its content.

open_sources
  ├── folder or archive → its files, each opened in turn (folders, containers)
  ├── unpacked Direct Data → its extracts (direct_data)
  └── file → its format (formats) → its reader
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ingest.errors import ArchiveUnsafe, IngestError, SourceMissing, SourceUnreadable
from ingest.readers.containers import MOST_NESTED, Budget, unpack
from ingest.readers.direct_data import (
    ArchiveName,
    archive_parts,
    is_unused_extract,
    read_unpacked_archive,
)
from ingest.readers.encoding import FileInspection, inspect_file
from ingest.readers.excel import read_excel
from ingest.readers.folders import UnpackedArchive, list_folder, plan_files
from ingest.readers.formats import COMPRESSED, TEXT, check_readable, identify_format
from ingest.readers.mail import identify_mail_file, read_mails
from ingest.readers.parquet import read_parquet
from ingest.readers.rows import RowSource, SkippedPart
from ingest.readers.text_files import read_text_file
from ingest.readers.wrapper_files import Wrapper

STDIN = "-"
"""The path that means standard input."""

_CONTAINERS = COMPRESSED | {"zip", "tar"}


def open_sources(
    path: Path | str,
    *,
    encoding: str | None = None,
    names: frozenset[str] | None = None,
    wrappers: Sequence[Wrapper] = (),
    stdin: BinaryIO | None = None,
) -> Iterator[RowSource | SkippedPart]:
    """Open a file, a folder or standard input (`-`), and yield a source for each table in it.

    A source must be read before the next one is requested: its file may be temporary. `encoding` overrides the
    detected encoding of all text, `wrappers` precede those that come with SyncLens. `names` limits an
    unpacked Direct Data folder to some of its files. Raises SourceMissing and SourceUnreadable; a part of a
    container that cannot be read is a SkippedPart.
    """
    path = Path(path)
    walk = _Walk(encoding, tuple(wrappers))
    if str(path) == STDIN:
        yield from _open_stdin(walk, stdin or sys.stdin.buffer)
    elif path.is_dir():
        files = list_folder(path)
        if names is not None:
            files = {name: file for name, file in files.items() if name in names}
        if not files:
            raise SourceUnreadable(str(path), "the folder has no files", "Check the path.")
        label = path.resolve().name
        yield from walk.open_files(files, label, f"{label}/", complete=names is None)
    elif path.is_file():
        yield from walk.open_file(_File(path.name, _volumes(path)))
    else:
        raise SourceMissing(str(path))


def _open_stdin(walk: _Walk, stdin: BinaryIO) -> Iterator[RowSource | SkippedPart]:
    with TemporaryDirectory(prefix="synclens-") as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(stdin, file)
        yield from walk.open_file(_File("stdin", (path,)))


def _volumes(path: Path) -> tuple[Path, ...]:
    name = ArchiveName.parse(path)
    if name is None or name.part is None:
        return (path,)
    siblings = [each.name for each in path.parent.iterdir()]
    return tuple(path.with_name(part) for part in archive_parts(path.name, siblings))


@dataclass(frozen=True, slots=True)
class _File:
    """A file to open: its name for the user, and its parts, in order, if it is split."""

    name: str
    volumes: tuple[Path, ...]

    @property
    def path(self) -> Path:
        return self.volumes[0]

    @property
    def label(self) -> str:
        """The name without the number of a part."""
        return self.name[:-4] if len(self.volumes) > 1 else self.name


@dataclass(frozen=True, slots=True)
class _Walk:
    """The state of one walk: the encoding and wrappers that the user set, and what archives may still unpack to."""

    encoding: str | None
    wrappers: tuple[Wrapper, ...] = ()
    budget: Budget | None = None
    depth: int = 0

    def open_file(self, file: _File) -> Iterator[RowSource | SkippedPart]:
        """Open one file by its content. Raises SourceUnreadable."""
        if not any(path.stat().st_size for path in file.volumes):
            raise SourceUnreadable(file.name, "the file is empty")
        form = identify_format(file.path)
        check_readable(form, file.name)
        if form.name in _CONTAINERS:
            yield from self._open_container(file, form.name)
        elif form is TEXT and (kind := identify_mail_file(file.path)):
            yield from self._open_mails(file, kind)
        else:
            yield from self._open_table(file, form.name)

    def _open_container(self, file: _File, form: str) -> Iterator[RowSource | SkippedPart]:
        if self.depth >= MOST_NESTED:
            raise ArchiveUnsafe(file.label, f"it has more than {MOST_NESTED} archives within each other")
        packed = sum(path.stat().st_size for path in file.volumes)
        budget = self.budget or Budget.for_packed_size(file.label, packed)
        inner = replace(self, budget=budget, depth=self.depth + 1)
        with TemporaryDirectory(prefix="synclens-") as folder:
            unpacked = unpack(
                file.volumes,
                form,
                file.label,
                Path(folder),
                budget,
                is_wanted=lambda name: not is_unused_extract(name),
            )
            yield from unpacked.skipped
            if unpacked.single:
                (path,) = unpacked.files.values()
                yield from inner.open_file(_File(file.label, (path,)))
            else:
                yield from inner.open_files(unpacked.files, file.label, f"{file.label}#")

    def _open_mails(self, file: _File, kind: str) -> Iterator[RowSource | SkippedPart]:
        if self.depth >= MOST_NESTED:
            raise ArchiveUnsafe(file.label, f"it has more than {MOST_NESTED} mails within each other")
        inner = replace(self, depth=self.depth + 1)
        content_hash = inspect_file(file.path, self.encoding).content_hash
        for source, attachments in read_mails(file.path, file.name, kind):
            source.content_hash = content_hash
            name = source.name
            yield source
            with TemporaryDirectory(prefix="synclens-") as folder:
                paths = {}
                for number, attachment in enumerate(attachments):
                    path = Path(folder) / str(number)
                    path.write_bytes(attachment.content)
                    paths[
                        attachment.name if attachment.name not in paths else f"{number} {attachment.name}"
                    ] = path
                if paths:
                    yield from inner.open_files(paths, name, f"{name}#")

    def open_files(
        self, files: Mapping[str, Path], label: str, prefix: str, *, complete: bool = True
    ) -> Iterator[RowSource | SkippedPart]:
        """Open the files of a folder or an archive; one that cannot be read becomes a SkippedPart."""
        plan, skipped = plan_files(files, label)
        yield from skipped
        for entry in plan:
            if isinstance(entry, UnpackedArchive):
                yield from read_unpacked_archive(
                    entry.files, f"{prefix}{entry.folder}", entry.archive, complete=complete
                )
                continue
            name = f"{prefix}{entry.name}"
            try:
                yield from self.open_file(_File(name, entry.volumes))
            except IngestError as error:
                if self.budget and isinstance(error, ArchiveUnsafe):
                    raise  # the archive around it is not safe either
                yield SkippedPart(name, str(error), error.next_step)

    def _open_table(self, file: _File, form: str) -> Iterator[RowSource | SkippedPart]:
        inspection = inspect_file(file.path, self.encoding)
        if form == TEXT.name and inspection.is_binary:
            raise SourceUnreadable(file.name, "it is neither text nor a format that SyncLens reads")
        for part in self._read_tables(file, form, inspection):
            if isinstance(part, RowSource):
                _add_inspection(part, inspection, is_text=form == TEXT.name)
            yield part

    def _read_tables(
        self, file: _File, form: str, inspection: FileInspection
    ) -> Iterator[RowSource | SkippedPart]:
        match form:
            case "parquet":
                yield read_parquet(file.path, name=file.name)
            case "xlsx":
                yield from read_excel(file.path, name=file.name)
            case _:
                yield from read_text_file(file.path, inspection, file.name, self.wrappers)


def _add_inspection(source: RowSource, inspection: FileInspection, *, is_text: bool) -> None:
    """Add what is known about the file to a source, and to the sources that are opened below its title."""
    source.content_hash = inspection.content_hash
    if is_text:
        source.notes[:0] = inspection.notes
        source.bulk = source.bulk if inspection.is_clean_utf8 else None
    if reopen := source.reopen_below_title:
        file_time = source.file_time

        def reopen_with_inspection() -> RowSource | None:
            below = reopen()
            if below is not None:
                below.file_time = file_time
                _add_inspection(below, inspection, is_text=is_text)
            return below

        source.reopen_below_title = reopen_with_inspection
