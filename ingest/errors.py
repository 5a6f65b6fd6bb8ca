"""Errors of loading and pulling data. Each has a message and a next step for the user.

IngestError
├── StoreLocked       another process has the file open
├── StoreUnusable     the file cannot be opened as a SyncLens store
├── StoreFailed       the disk failed while the store was read or written
├── KeyUnusable       the key of fingerprints and pseudonyms cannot be read or created
├── StoreMissing      there is no such file
├── StoreTooNew       a newer SyncLens wrote the store
├── SourceMissing     there is no such file
├── SourceUnreadable  the file is damaged, or not in a supported format
├── NotErrors         a document has no errors
├── ArchiveUnsafe     an archive would write outside its folder, or unpack to an extreme size
├── UnknownKind       the columns match no table
├── MissingColumns    the source lacks columns that its table requires
├── AmbiguousHeadings two headings of a file are one name
├── MappingInvalid    a mapping file is not valid
├── PartDamaged       a part of a Direct Data file was damaged in transfer
├── ExportTargetNotEmpty      an export would overwrite other files
├── VaultUnreachable  no Vault answered
├── SignInRefused     Vault rejected the credentials
├── WrongVault        the session is for a different Vault
├── VaultRefused      Vault rejected a call
├── FieldsMissing     Vault describes an object without fields
└── PullIncomplete    Vault returned fewer rows than it announced
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.protection.secrets import hide_secrets


class IngestError(Exception):
    """An error the user can fix; `next_step` is the command or action to try. Secrets in both are hidden."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(hide_secrets(message))
        self.next_step = hide_secrets(next_step)
        self.add_note(f"Next: {self.next_step}")  # a traceback in a notebook shows it too


class StoreLocked(IngestError):
    """Another process has the DuckDB file open, and one of the two needs to write."""

    def __init__(self, path: str, holder: str, waited_seconds: float) -> None:
        super().__init__(
            f"{path} is in use by {holder}; waited {waited_seconds:.0f} s",
            next_step=f"Wait for {holder} to finish, or stop it. Opening the store read-only will not help.",
        )


class StoreUnusable(IngestError):
    """The file exists but cannot be opened as a store."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} cannot be opened: {reason}",
            next_step="Check that --store is the path of a SyncLens store, or restore a backup with "
            "`synclens restore`.",
        )


class StoreFailed(IngestError):
    """The disk failed while the store was read or written."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} could not be read or written: {reason}",
            next_step="Free disk space and run the command again; committed data is safe. "
            "If the error persists, run `synclens doctor`, or restore a backup with `synclens restore`.",
        )


class KeyUnusable(IngestError):
    """The file with the key of fingerprints and pseudonyms cannot be read or created."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the key file {path} cannot be used: {reason}",
            next_step="Restore the file from a backup. Or move it away: a new key is created, and new "
            "fingerprints and pseudonyms differ from the stored ones.",
        )


class StoreMissing(IngestError):
    """There is no store at the path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"there is no store at {path}",
            next_step="Load data first: run `synclens load FILE` or `synclens simulate --seed 1`.",
        )


class StoreTooNew(IngestError):
    """A newer version of SyncLens wrote the store."""

    def __init__(self, path: str, unknown: list[str]) -> None:
        super().__init__(
            f"{path} was written by a newer SyncLens (unknown migrations: {', '.join(unknown)})",
            next_step="Upgrade SyncLens to the version that wrote the store.",
        )


class SourceMissing(IngestError):
    """There is no file to load at the path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no file {path}", next_step="Check the path.")


class SourceUnreadable(IngestError):
    """No row can be read from a file: it is damaged, or not in a supported format."""

    def __init__(
        self, path: str, reason: str, next_step: str = "Export the file again, or export it as CSV."
    ) -> None:
        super().__init__(f"{path} cannot be read: {reason}", next_step=next_step)


class NotErrors(IngestError):
    """A document can be read, but its content is not what the command needs."""

    def __init__(
        self,
        name: str,
        reason: str,
        next_step: str = "Export the records themselves. To name the cause of its messages, run `synclens classify`.",
    ) -> None:
        super().__init__(f"{name} has no errors: {reason}", next_step=next_step)


class ArchiveUnsafe(IngestError):
    """An archive has content that Vault never writes."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name} was not unpacked: {reason}",
            next_step="Verify where this file comes from before you load it.",
        )


class UnknownKind(IngestError):
    """A source is recognized as no table; `candidates` describes the nearest ones, best first."""

    def __init__(
        self,
        source: str,
        header: Sequence[str],
        kinds: Sequence[str],
        *,
        candidates: Sequence[str] = (),
        next_step: str | None = None,
    ) -> None:
        details = "".join(f"\n  {candidate}" for candidate in candidates)
        super().__init__(
            f"{source}: the table is not recognized. Columns: {format_names(header)}{details}",
            next_step=next_step
            or f"Specify the table with --as (one of {', '.join(kinds)}), or write a mapping: "
            f"synclens load {source} --suggest-mapping mapping.toml",
        )


class MissingColumns(IngestError):
    """A source lacks columns that its table requires.

    `lacks` has a clause for each missing column, `mapping` the title of the custom mapping.
    """

    def __init__(
        self,
        source: str,
        kind: str,
        lacks: Sequence[str],
        header: Sequence[str],
        mapping: str | None = None,
        *,
        next_step: str | None = None,
    ) -> None:
        reader = f"the mapping {mapping!r}" if mapping else "SyncLens"
        super().__init__(
            f"{source}: {reader} finds no column for {'; '.join(lacks)}, required by {kind}. "
            f"Columns of the file: {format_names(header)}",
            next_step=next_step
            or "Map these columns in a mapping file and pass it with --mapping; "
            f"`synclens load {source} --suggest-mapping mapping.toml` writes one to start from.",
        )


def format_missing_columns(expected_names: Mapping[str, Sequence[str]]) -> str:
    """List missing columns, each with its accepted names."""
    return ", ".join(
        f"{column} (accepted names: {', '.join(names)})" for column, names in expected_names.items()
    )


def format_names(names: Sequence[str], most: int = 40) -> str:
    """List the first `most` names, and count the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


class AmbiguousHeadings(IngestError):
    """Two headings of a source are one name, so that the right one for a column is unknown."""

    def __init__(self, source: str, column: str, headings: Sequence[str]) -> None:
        names = " and ".join(map(repr, headings))
        super().__init__(
            f"{source}: the columns {names} are one name (case, spaces and punctuation are ignored), "
            f"so {column} could be read from any of them",
            next_step=f"Name the right one in a mapping file, for example {column} = [{headings[0]!r}], and pass it "
            "with --mapping; or rename the other column in the file.",
        )


class MappingInvalid(IngestError):
    """A mapping file cannot be used."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"mapping {name}: {reason}",
            next_step="Correct the mapping file; see `synclens load --help` for an example.",
        )


class PartDamaged(IngestError):
    """A part of a Direct Data file does not have the size or the checksum that Vault announced."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was damaged in transfer twice",
            next_step="Run the same command again; complete parts are not downloaded again.",
        )


class ExportTargetNotEmpty(IngestError):
    """The target directory of an export has other files in it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is not empty and was not exported by SyncLens",
            next_step="Choose an empty or new directory.",
        )


class VaultUnreachable(IngestError):
    """No Vault answered; `retryable` is whether a retry may succeed.

    `retry_after` is the number of seconds to wait before a retry, if the answer states it.
    """

    def __init__(
        self, host: str, reason: str, *, retryable: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(
            f"no Vault answers at {host}: {reason}",
            next_step="Check the Vault address and the network (VPN, proxy), then try again.",
        )
        self.retryable = retryable
        self.retry_after = retry_after


class SignInRefused(IngestError):
    """Vault rejected the credentials. More attempts could lock the user."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(
            f"Vault rejected the sign-in: {type_} {message}".rstrip(),
            next_step="Correct the credentials before you try again; repeated failures lock the user.",
        )
        self.type = type_


class WrongVault(IngestError):
    """The session is for a different Vault than requested; Vault does this without an error."""

    def __init__(self, requested: str, actual: str) -> None:
        super().__init__(
            f"the session is for Vault {actual}, not for {requested}",
            next_step="Grant the user access to that Vault, or correct the address or the Vault id.",
        )


class VaultRefused(IngestError):
    """Vault rejected a call; `type` is Vault's error type."""

    def __init__(
        self, type_: str, message: str, *, http_status: int, execution_id: str | None, retryable: bool
    ) -> None:
        super().__init__(
            f"Vault rejected the call: {type_} {message}".rstrip(),
            next_step=_NEXT_STEPS.get(
                type_,
                f"Look up the error type in Vault's API reference; the execution id is {execution_id}.",
            ),
        )
        self.type = type_
        self.http_status = http_status
        self.execution_id = execution_id
        self.retryable = retryable


_NEXT_STEPS = {
    "INSUFFICIENT_ACCESS": "Grant the service user API access and Read on the object and its fields.",
    "CONFIGURATION_MODE_ENABLED": "Wait until configuration mode ends; until then only admins can sign in.",
    "MALFORMED_URL": "Check the address and the API version; the Vault may not support this version.",
    "API_LIMIT_EXCEEDED": "Wait a few minutes and run the same command again; it continues where it stopped.",
    "INVALID_SESSION_ID": "Run the same command again; if it persists, check the API version.",
}


class FieldsMissing(IngestError):
    """Vault describes an object, but lists no field of it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Vault lists no field of {name}",
            next_step=f"Grant the service user Read on {name} and its fields.",
        )


class PullIncomplete(IngestError):
    """Vault returned fewer rows than it announced; the received rows are in the store."""

    def __init__(self, target: str, received: int, total: int) -> None:
        super().__init__(
            f"{target}: received {received} of {total} rows",
            next_step="Run the same command again; it continues from there.",
        )
