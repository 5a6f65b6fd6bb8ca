"""Detect the encoding of a text file and hash its content, in one pass."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileInspection:
    """The encoding of a file, the hash of its content, and its size in bytes."""

    encoding: str
    content_hash: str
    size: int


def inspect_file(path: Path, override: str | None = None) -> FileInspection:
    """Read a file once, in pieces, and return its encoding, hash and size.

    `override` is an encoding that the user set. Otherwise a byte order mark decides the encoding. Without one, it
    is UTF-8 if all of the file is valid UTF-8, and otherwise Windows-1252, which Excel on Windows writes and which
    can decode any file.
    """
    digest, size = hashlib.sha256(), 0  # fast: most processors have instructions for it
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding, valid = override, override is None
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            encoding = encoding or next(
                (name for bom, name in _BOMS if not size and piece.startswith(bom)), None
            )
            valid = valid and _decodes(decoder, piece)
            digest.update(piece)
            size += len(piece)
    valid = valid and _decodes(decoder, b"", final=True)
    return FileInspection(encoding or ("utf-8" if valid else "cp1252"), digest.hexdigest()[:32], size)


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> bool:
    if piece.isascii() and not decoder.getstate()[0]:
        return True  # the usual case, and ten times faster
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True
