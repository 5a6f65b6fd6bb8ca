"""Identify the format of a file from its first bytes, and of a ZIP file from its members."""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ingest.errors import SourceUnreadable

COMPRESSED = frozenset({"gzip", "bzip2", "xz", "zstd"})
"""Formats that compress one file, which may be a tar archive."""

_OFFICE_BYTES = 4 << 20
_HEAD_BYTES = 512
"""Bytes that identify a format: the header of a tar archive is the longest."""


@dataclass(frozen=True, slots=True)
class Format:
    """The format of a file; one that cannot be read has a `reason`, and a `next_step` for the user."""

    name: str
    reason: str | None = None
    next_step: str = ""


TEXT = Format("text")
OUTLOOK_MAIL = Format(
    "Outlook mail",
    "it is a mail of Outlook (.msg)",
    "Save the mail as .eml, or copy its text to a .txt file, and load that file.",
)


@dataclass(frozen=True, slots=True)
class _Signature:
    format: Format
    offset: int
    expected: bytes

    def matches(self, head: bytes) -> bool:
        return head.startswith(self.expected, self.offset)


def identify_format(path: Path) -> Format:
    """Return the format of a file, and `TEXT` if its first bytes match no other one."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    form = identify_head(head)
    if form.name == "Excel 97" and _is_outlook_mail(path):
        return OUTLOOK_MAIL
    return _identify_zip(path) if form.name == "zip" else form


def _is_outlook_mail(path: Path) -> bool:
    # Outlook keeps each property of a mail in a stream of this name.
    with path.open("rb") as file:
        return "__substg1.0_".encode("utf-16-le") in file.read(_OFFICE_BYTES)


def identify_head(head: bytes) -> Format:
    """Return the format of a file that begins with the 512 bytes of `head`."""
    for signature in _signatures():
        if signature.matches(head):
            return signature.format
    return Format("tar") if _is_old_tar(head) else TEXT


def check_readable(form: Format, name: str) -> None:
    """Raise SourceUnreadable if a format has no reader."""
    if form.reason:
        raise SourceUnreadable(name, form.reason, form.next_step)


def _is_old_tar(head: bytes) -> bool:
    # Archives from before 1988 have no signature, but a checksum.
    if len(head) < tarfile.BLOCKSIZE or not head[0]:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _identify_zip(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return Format("zip")  # its reader reports the damage
    return next((form for member, form in _zip_formats() if member in names), Format("zip"))


@cache
def _entries() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(files("ingest.readers").joinpath("formats.toml").read_text(encoding="utf-8"))


@cache
def _signatures() -> tuple[_Signature, ...]:
    return tuple(
        _Signature(_format(entry), entry.get("offset", 0), bytes.fromhex(entry["bytes"]))
        for entry in _entries()["format"]
    )


@cache
def _zip_formats() -> tuple[tuple[str, Format], ...]:
    return tuple((entry["member"], _format(entry)) for entry in _entries()["zip"])


def _format(entry: dict[str, Any]) -> Format:
    return Format(entry["name"], entry.get("reason"), entry.get("next_step", ""))
