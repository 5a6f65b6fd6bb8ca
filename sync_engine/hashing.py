"""Record digests, which device and Vault compare at the end of each sync.

A digest is the number of records and the sum of a 40-bit hash of each (id, revision). A sum can be updated
with each write.
"""

from __future__ import annotations

from hashlib import blake2b


def revision_hash(record_id: str, revision: int) -> int:
    """Return the 40-bit hash that a record revision adds to its object's digest."""
    return int.from_bytes(blake2b(f"{record_id}:{revision}".encode(), digest_size=5).digest(), "big")


def short_hash(*parts: object, size: int = 8) -> str:
    """Return a hash of the parts as hex text, identical in every process."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=size).hexdigest()
