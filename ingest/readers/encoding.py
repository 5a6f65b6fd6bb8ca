"""Detect the encoding of a text file and hash its content, in one pass; text other than UTF-8 needs two."""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP",
    "gb18030": "GB18030",
    "cp950": "Big5",
    "cp949": "EUC-KR",
    "mac_roman": "Mac Roman",
}
_CHUNK = 1 << 20
_SAMPLE = 64 << 10
"""Bytes of lines with characters beyond ASCII that the encoding is guessed from."""
_AROUND = 4 << 10
"""Bytes of a line before and after a character beyond ASCII that are in the sample."""
_MOST_CONTROL_CHARACTERS = 0.1
_FEWEST_VALID = 4
"""Valid characters for each broken one from which a file is UTF-8 with damage."""
_REPLACEMENT = "\ufffd"
_NOT_ASCII = re.compile(rb"[\x80-\xff\x1b]")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, slots=True)
class FileInspection:
    """The encoding of a file, the hash of its content, its size in bytes, and notes on its encoding.

    `damage` is the number of characters that are not valid in the encoding; each is read as U+FFFD. `is_binary`
    is whether the file is no text.
    """

    encoding: str
    content_hash: str
    size: int
    notes: tuple[str, ...] = ()
    damage: int = 0
    is_binary: bool = False

    @property
    def is_clean_utf8(self) -> bool:
        """Whether DuckDB can read the text as it is."""
        return self.encoding in ("utf-8", "utf-8-sig") and not self.damage


def inspect_file(path: Path, override: str | None = None) -> FileInspection:
    """Read a file in pieces, and return its encoding, hash and size.

    `override` is an encoding that the user set. Otherwise a byte order mark decides the encoding, then bytes of
    zero (UTF-16), then whether the file is valid UTF-8. Other encodings are guessed from a sample.
    """
    with path.open("rb") as file:
        start = file.read(_CHUNK)
        encoding = override or _encoding_of_start(start)
        scan = _scan(file, start)
        inspection = FileInspection(encoding or "utf-8", scan.content_hash, scan.size)
        if encoding is None and _is_binary(start):
            return replace(inspection, encoding=_FALLBACK, is_binary=True)
        if encoding is None and not scan.is_utf8:
            inspection = replace(inspection, encoding=_guess_from_lines(file))
        if inspection.encoding in ("utf-8", "utf-8-sig") and scan.is_utf8:
            return _with_notes(replace(inspection, damage=scan.replacements), override)
        return _with_notes(replace(inspection, damage=_count_damage(file, inspection.encoding)), override)


_FALLBACK = "cp1252"


@dataclass(slots=True)
class _Scan:
    content_hash: str = ""
    size: int = 0
    is_utf8: bool = True
    replacements: int = 0


def _scan(file: BinaryIO, start: bytes) -> _Scan:
    digest = hashlib.sha256()  # fast: most processors have instructions for it
    decoder = codecs.getincrementaldecoder("utf-8")()
    scan, piece = _Scan(), start
    while piece:
        # Escape sequences of ISO-2022-JP are valid ASCII.
        scan.is_utf8 = scan.is_utf8 and not _has_escape(piece) and _decodes(decoder, piece, scan)
        digest.update(piece)
        scan.size += len(piece)
        piece = file.read(_CHUNK)
    scan.is_utf8 = scan.is_utf8 and _decodes(decoder, b"", scan, final=True)
    scan.content_hash = digest.hexdigest()[:32]
    return scan


def _has_escape(piece: bytes) -> bool:
    # The search for one byte is much faster, and few files have it.
    return b"\x1b" in piece and b"\x1b$" in piece


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, scan: _Scan, *, final: bool = False) -> bool:
    if piece.isascii() and not decoder.getstate()[0]:
        return True  # the usual case, and ten times faster
    try:
        scan.replacements += decoder.decode(piece, final).count(_REPLACEMENT)
    except UnicodeDecodeError:
        return False
    return True


def _encoding_of_start(start: bytes) -> str | None:
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    return _encoding_of_zero_bytes(start[: _SAMPLE - _SAMPLE % 4])


def _encoding_of_zero_bytes(start: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if line ends and commas are beside zero bytes as in these encodings."""
    if b"\x00" not in start:
        return None
    for encoding, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        whole = start[: len(start) - len(start) % width]
        text = whole.decode(encoding, errors="replace")
        plain = sum(character.isprintable() or character in "\r\n\t" for character in text)
        ascii_count = sum(map(str.isascii, text))
        if text and "\x00" not in text and ascii_count * 20 >= len(text) and plain >= 0.95 * len(text):
            return encoding
    return None


def _is_binary(start: bytes) -> bool:
    sample = start[:_SAMPLE]
    return len(_CONTROL.findall(sample)) > _MOST_CONTROL_CHARACTERS * len(sample)


def _guess_from_lines(file: BinaryIO) -> str:
    from ingest.readers.encoding_guess import guess_encoding  # noqa: PLC0415 - slow, and rarely needed

    sample = _sample_lines(file)
    valid = _MULTIBYTE.findall(sample)
    broken = sample.decode("utf-8", errors="replace").count(_REPLACEMENT)
    if valid and len(valid) >= _FEWEST_VALID * broken:
        return "utf-8"
    return guess_encoding(sample)


def _sample_lines(file: BinaryIO) -> bytes:
    """Return the first lines with characters beyond ASCII, up to 64 KB, wherever they are in the file."""
    file.seek(0)
    sample = bytearray()
    while len(sample) < _SAMPLE and (piece := file.read(_CHUNK)):
        end = 0
        while len(sample) < _SAMPLE and (match := _NOT_ASCII.search(piece, end)):
            at = match.start()
            start = max(end, at - _AROUND, piece.rfind(b"\n", 0, at) + 1)
            line_end = piece.find(b"\n", at, at + _AROUND)
            end = line_end + 1 if line_end >= 0 else at + _AROUND
            sample += piece[start:end]
    return bytes(sample)


def _count_damage(file: BinaryIO, encoding: str) -> int:
    """Return how many characters of the file are not valid in the encoding."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    damage = 0
    while piece := file.read(_CHUNK):
        if not piece.isascii() or encoding.startswith(("utf-16", "utf-32", "iso2022")):
            damage += decoder.decode(piece).count(_REPLACEMENT)
    return damage + decoder.decode(b"", True).count(_REPLACEMENT)


def _with_notes(inspection: FileInspection, override: str | None) -> FileInspection:
    notes = []
    if not override and not inspection.encoding.startswith(("utf-8", "utf-16", "utf-32")):
        notes.append(f"read as {encoding_name(inspection.encoding)}; set another encoding with --encoding")
    if inspection.damage:
        notes.append(
            f"{inspection.damage} characters are damaged: they are not valid {encoding_name(inspection.encoding)} "
            "and are shown as \ufffd; set another encoding with --encoding, or export the file again"
        )
    return replace(inspection, notes=tuple(notes))


def encoding_name(encoding: str) -> str:
    """Return the usual name of a codec, such as Windows-1252 for cp1252."""
    if encoding.startswith("cp12") or encoding == "cp874":
        return f"Windows-{encoding[2:]}"
    return _NAMES.get(encoding, encoding.replace("iso8859", "ISO-8859").replace("-sig", "").upper())
