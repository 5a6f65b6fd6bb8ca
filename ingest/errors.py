"""What can go wrong while data comes in, and what the person at the keyboard can do about it.

IngestError
├── StoreLocked       another process has the file open
├── StoreUnusable     the file cannot be opened as a SyncLens store
├── StoreMissing      there is no such file
├── StoreTooNew       written by a newer SyncLens
├── SourceMissing     there is no such file
├── SourceUnreadable  the file is not what its name or its first bytes promise
├── ArchiveUnsafe     an archive tries to write where it must not, or to burst
├── UnknownKind       nothing tells what the rows are
├── MissingColumns    the rows lack columns that their kind must have
├── MappingInvalid    a mapping file says something that cannot be
├── PartDamaged       a part of an archive arrived damaged
├── ExportTargetNotEmpty      an export would overwrite something that is not ours
├── VaultUnreachable  nothing that speaks Vault's language answered
├── SignInRefused     Vault does not accept the credentials
├── WrongVault        the session is for another Vault
├── VaultRefused      Vault understood a call and refused it
└── PullIncomplete    fewer rows came than were announced
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class IngestError(Exception):
    """Something that the person at the keyboard can put right; `next_step` says how."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.add_note(f"Next: {next_step}")  # a traceback in a notebook shows it too


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


class StoreFailed(IngestError):
    """The machine could not read or write the store's file in the middle of work."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} could not be read or written: {reason}",
            next_step="Make room on the disk and run it again: what was acknowledged before is safe. "
            "If it stays, ask `synclens doctor`, or bring a copy back with `synclens restore`.",
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


class SourceMissing(IngestError):
    """There is nothing to load at the given path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no file {path}", next_step="Check the path and the spelling.")


class SourceUnreadable(IngestError):
    """A file breaks the rules of its own format so badly that no row can be taken from it."""

    def __init__(
        self, path: str, reason: str, next_step: str = "Export it again, or send the file as CSV."
    ) -> None:
        super().__init__(f"{path} cannot be read: {reason}", next_step=next_step)


class ArchiveUnsafe(IngestError):
    """An archive holds something that no archive of Vault's would."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name} was not unpacked: {reason}",
            next_step="Find out where this file comes from before loading it.",
        )


class UnknownKind(IngestError):
    """The columns of a source do not tell what its rows are; `nearest` is a table and what it misses there."""

    def __init__(
        self, source: str, header: list[str], kinds: list[str], nearest: tuple[str, list[str]] | None = None
    ) -> None:
        like = f". They are most like {nearest[0]}, without {', '.join(nearest[1])}" if nearest else ""
        super().__init__(
            f"{source}: the columns do not tell what the rows are ({format_names(header)}){like}",
            next_step=f"Say it with --as (one of {', '.join(kinds)}), or name the columns in a mapping file "
            "and give it with --mapping; `synclens load --help` shows one.",
        )


class MissingColumns(IngestError):
    """A source lacks columns without which its rows cannot be of the wanted kind.

    `sought` gives for each the names it was looked for under, `mapping` the title of the user's own mapping.
    """

    def __init__(
        self,
        source: str,
        kind: str,
        sought: dict[str, tuple[str, ...]],
        header: list[str],
        mapping: str | None = None,
    ) -> None:
        reader = f"the mapping {mapping!r}" if mapping else "SyncLens"
        super().__init__(
            f"{source}: {reader} finds no column for {format_missing_columns(sought)}, which {kind} needs. "
            f"The file has: {format_names(header)}",
            next_step="Name the file's own columns for these in a mapping file, and give it with --mapping; "
            "`synclens load --help` shows one.",
        )


def format_missing_columns(sought: Mapping[str, Sequence[str]]) -> str:
    """Name columns of ours that a source lacks, each with the names under which it was looked for."""
    return ", ".join(f"{ours} (looked for as {', '.join(names)})" for ours, names in sought.items())


def format_names(names: Sequence[str], most: int = 40) -> str:
    """Name the first of many names, and say how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


class MappingInvalid(IngestError):
    """A mapping file cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"mapping {name}: {reason}",
            next_step="Correct the file; `synclens load --help` shows how one looks.",
        )


class PartDamaged(IngestError):
    """A part of a Direct Data file does not have the size or the checksum that Vault announced."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} arrived damaged twice",
            next_step="Run the same command again; whole parts are not fetched twice.",
        )


class ExportTargetNotEmpty(IngestError):
    """The target of an export is a directory with other things in it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is not empty and not a lake of ours", next_step="Name an empty or a new directory."
        )


class VaultUnreachable(IngestError):
    """Nothing that speaks Vault's language answered; `retryable` says whether asking again may help."""

    def __init__(self, host: str, reason: str, *, retryable: bool = True) -> None:
        super().__init__(
            f"no Vault answers at {host}: {reason}",
            next_step="Check the Vault's address and the way to it (VPN, proxy), then try again.",
        )
        self.retryable = retryable


class SignInRefused(IngestError):
    """Vault does not accept the credentials. Trying again could lock the user."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(
            f"Vault refused the sign-in: {type_} {message}".rstrip(),
            next_step="Correct the credentials before the next try; several wrong ones lock the user.",
        )
        self.type = type_


class WrongVault(IngestError):
    """The session is for another Vault than the one that was asked for; Vault does that without a word."""

    def __init__(self, wanted: str, got: str) -> None:
        super().__init__(
            f"the session is for Vault {got}, not for {wanted}",
            next_step="Give the user access to the wanted Vault, or correct the address or the Vault id.",
        )


class VaultRefused(IngestError):
    """Vault understood a call and refused it; `type` is Vault's own word for why."""

    def __init__(
        self, type_: str, message: str, *, http_status: int, execution_id: str | None, retryable: bool
    ) -> None:
        super().__init__(
            f"Vault refused the call: {type_} {message}".rstrip(),
            next_step=_AFTER_REFUSAL.get(
                type_,
                f"Look the type up in Vault's API reference; Vault's log has it as call {execution_id}.",
            ),
        )
        self.type = type_
        self.http_status = http_status
        self.execution_id = execution_id
        self.retryable = retryable


_AFTER_REFUSAL = {
    "INSUFFICIENT_ACCESS": "Give the service user API access and Read on the object and its fields.",
    "CONFIGURATION_MODE_ENABLED": "Wait until configuration mode ends; until then only admins get in.",
    "MALFORMED_URL": "Check the address and the API version; the Vault may serve other versions.",
    "API_LIMIT_EXCEEDED": "Wait some minutes and run the same command again; it goes on where it stopped.",
    "INVALID_SESSION_ID": "Run the same command again; if it persists, check the API version.",
}


class PullIncomplete(IngestError):
    """Vault handed over fewer rows than it said there were; what came is in the store."""

    def __init__(self, target: str, got: int, total: int) -> None:
        super().__init__(
            f"{target}: {got} of {total} rows came",
            next_step="Run the same command again; it goes on from there.",
        )
