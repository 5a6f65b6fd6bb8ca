"""What can go wrong while data comes in, and what the person at the keyboard can do about it.

IngestError
├── StoreLocked       another process has the file open
├── StoreUnusable     the file cannot be opened as a SyncLens store
├── StoreMissing      there is no such file
└── StoreTooNew       written by a newer SyncLens
"""

from __future__ import annotations


class IngestError(Exception):
    """Something that the person at the keyboard can put right; `next_step` says how."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


class StoreLocked(IngestError):
    """Another process has the DuckDB file open, and at least one of the two wants to write."""

    def __init__(self, path: str, holder: str, waited_seconds: float) -> None:
        super().__init__(
            f"{path} is in use by {holder}; waited {waited_seconds:.0f} s",
            next_step=f"Let {holder} finish, or close it. Opening the store read-only is no way around.",
        )


class StoreUnusable(IngestError):
    """The file exists and is not a store that can be opened."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} cannot be opened: {reason}",
            next_step="Check that --store names a SyncLens store, or restore a copy with `synclens restore`.",
        )


class StoreMissing(IngestError):
    """There is no store at the given path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"there is no store at {path}",
            next_step="Load something first: `synclens load FILE` or `synclens simulate --seed 1`.",
        )


class StoreTooNew(IngestError):
    """The store was written by a newer version of SyncLens than this one."""

    def __init__(self, path: str, unknown: list[str]) -> None:
        super().__init__(
            f"{path} was written by a newer SyncLens (unknown migrations: {', '.join(unknown)})",
            next_step="Upgrade this installation, or open the store with the newer one.",
        )
