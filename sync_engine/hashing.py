"""One number per object that two sides compare at the end of each sync.

The number of records and the sum of a 40-bit hash of (id, revision). A sum, because it can be kept up to date
with each write; the idea is Anki's count check at the price of PowerSync's bucket checksum.
"""

from __future__ import annotations

from hashlib import blake2b


def revision_hash(record_id: str, revision: int) -> int:
    """What one record in one revision adds to the digest of its object, below 2**40."""
    return int.from_bytes(blake2b(f"{record_id}:{revision}".encode(), digest_size=5).digest(), "big")


def short_hash(*parts: object, size: int = 8) -> str:
    """A name made of content: the same parts give the same text in any process."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=size).hexdigest()
