"""List the files of a folder, and plan the order in which files and unpacked archives are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ingest.errors import SourceUnreadable
from ingest.readers.direct_data import MANIFEST, ArchiveName, archive_parts, find_unpacked_archives
from ingest.readers.rows import SkippedPart

_SYSTEM_FILES = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}
)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of a folder or an archive: its path there, and its parts, in order, if it is split."""

    name: str
    volumes: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class UnpackedArchive:
    """The files of an unpacked Direct Data archive, by their path in its folder."""

    folder: str
    files: Mapping[str, Path]
    archive: ArchiveName | None


def list_folder(folder: Path) -> dict[str, Path]:
    """Return all files in a folder and its subfolders, by their path in it; links are not followed."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def is_hidden(name: str) -> bool:
    """Return whether a path leads to a hidden file, or to one that an operating system adds to folders."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part.casefold() in _SYSTEM_FILES for part in parts)


def describe_hidden_files(names: Iterable[str], label: str) -> list[SkippedPart]:
    """Return one part for all hidden files of a folder or an archive, if it has any."""
    hidden = sorted(filter(is_hidden, names))
    if not hidden:
        return []
    more = f" and {len(hidden) - _MOST_NAMED} more" if len(hidden) > _MOST_NAMED else ""
    reason = f"hidden files and files of the operating system: {', '.join(hidden[:_MOST_NAMED])}{more}"
    return [SkippedPart(label, reason, expected=True)]


def plan_files(
    files: Mapping[str, Path], label: str
) -> tuple[list[InputFile | UnpackedArchive], list[SkippedPart]]:
    """Return what `files` hold, in reading order: archives by stop time, then the other files by name.

    `label` is the name of the folder or archive; it may have an archive's stop time. The skipped parts are the
    hidden files, and archives with a missing part.
    """
    skipped = describe_hidden_files(files, label)
    visible = {name: path for name, path in files.items() if not is_hidden(name)}
    plan: list[InputFile | UnpackedArchive] = []
    for folder, members in find_unpacked_archives(visible).items():
        archive = ArchiveName.parse(folder.rstrip("/")) or ArchiveName.parse(label)
        plan.append(UnpackedArchive(folder, members, archive))
        for name in members:
            del visible[folder + name]
    volumes: dict[str, InputFile] = {}
    for name in sorted(visible):
        try:
            parts = archive_parts(name, visible)
        except SourceUnreadable as error:
            skipped.append(SkippedPart(name, str(error), error.next_step))
            continue
        volumes[parts[0]] = InputFile(parts[0], tuple(visible[part] for part in parts))
    return sorted([*plan, *volumes.values()], key=_reading_order), skipped


def _reading_order(entry: InputFile | UnpackedArchive) -> tuple[bool, str, str, str]:
    archive = entry.archive if isinstance(entry, UnpackedArchive) else ArchiveName.parse(entry.name)
    name = entry.folder if isinstance(entry, UnpackedArchive) else entry.name
    is_archive = archive is not None or isinstance(entry, UnpackedArchive)
    stop = archive.stop_text if archive else ""
    return not is_archive, stop, archive.extract_type if archive else "", name


def group_inputs(paths: Iterable[Path]) -> list[tuple[Path, frozenset[str] | None]]:
    """Return the paths in reading order; the files of one unpacked archive become its folder and their names.

    Archives come first, by stop time, and each split archive once. Other paths keep their order. The names are
    None for a path that is read completely.
    """
    order: dict[Path, frozenset[str] | None] = {}
    for path in paths:
        if folder := _unpacked_archive_of(path):
            names = order.get(folder, frozenset())
            order[folder] = None if names is None else names | {path.relative_to(folder).as_posix()}
        else:
            order[_first_part(path)] = None
    return sorted(order.items(), key=lambda each: _argument_order(*each))


def _first_part(path: Path) -> Path:
    if (name := ArchiveName.parse(path)) is None or name.part is None:
        return path
    return min(path.parent.glob(f"{path.name[:-4]}.[0-9][0-9][0-9]"), default=path)


def _argument_order(path: Path, names: frozenset[str] | None) -> tuple[bool, str, str]:
    archive = ArchiveName.parse(path)
    if archive:
        return False, archive.stop_text, archive.extract_type
    return names is None, "", ""


def _unpacked_archive_of(path: Path) -> Path | None:
    """Return the folder of the unpacked archive that a file is part of, if it has a manifest."""
    if not path.is_file():
        return None
    for folder in (path.parent, path.parent.parent):
        manifest = folder / MANIFEST
        if manifest.is_file():
            name = path.relative_to(folder).as_posix()
            archives = find_unpacked_archives({MANIFEST: manifest, name: path})
            return folder if name in archives.get("", {}) else None
    return None
