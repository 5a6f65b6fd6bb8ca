"""Error texts of devices, by cause and platform.

Codes and short texts are the operating systems' own public ones; ids, hosts and figures are filled in.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class ErrorText(NamedTuple):
    """One error text with its type and HTTP status."""

    error_type: str
    message: str
    http_status: int | None = None


_NSURL = "NSURLErrorDomain"
_APPLE: dict[str, list[ErrorText]] = {
    "network": [
        ErrorText(f"{_NSURL} -1009", "The Internet connection appears to be offline."),
        ErrorText(f"{_NSURL} -1005", "The network connection was lost."),
        ErrorText(f"{_NSURL} -1001", "The request timed out."),
        ErrorText(f"{_NSURL} -1003", "A server with the specified hostname could not be found."),
        ErrorText(f"{_NSURL} -1004", "Could not connect to the server."),
    ],
    "tls-certificate": [
        ErrorText(
            f"{_NSURL} -1202",
            "The certificate for this server is invalid. You might be connecting to a server that is "
            "pretending to be “{host}”.",
        ),
        ErrorText(
            f"{_NSURL} -1200",
            "An SSL error has occurred and a secure connection to the server cannot be made.",
        ),
        ErrorText(
            f"{_NSURL} -1203",
            "The certificate for this server was signed by an unknown certifying authority.",
        ),
    ],
    "app-suspended": [
        ErrorText(f"{_NSURL} -997", "Lost connection to background transfer service"),
        ErrorText(
            "BACKGROUND_TIME_EXPIRED",
            "The app was suspended while a transfer was running; task {number} ended",
        ),
    ],
    "device-storage-full": [
        ErrorText(
            "NSCocoaErrorDomain 640", "The file “{file}” couldn’t be saved because there isn’t enough space."
        ),
        ErrorText("SQLITE_FULL", "database or disk is full (13)"),
        ErrorText("NSPOSIXErrorDomain 28", "No space left on device"),
    ],
    "local-state-mismatch": [
        ErrorText(
            "NSCocoaErrorDomain 134100",
            "The model used to open the store is incompatible with the one used to create the store",
        ),
        ErrorText("SQLITE_ERROR", "no such column: {column} (1)"),
        ErrorText("SQLITE_ERROR", "no such table: {table} (1)"),
    ],
}
_COMMON: dict[str, list[ErrorText]] = {
    "server-unavailable": [
        ErrorText("HTTP_503", "Service Unavailable", 503),
        ErrorText("HTTP_502", "Bad Gateway", 502),
        ErrorText("HTTP_504", "Gateway Timeout: the server did not answer within {number} s", 504),
        ErrorText(
            "UNEXPECTED_ERROR", "An unexpected error occurred on the server. Reference {reference}", 500
        ),
    ],
    "rate-limit": [
        ErrorText("HTTP_429", "Too Many Requests", 429),
        ErrorText(
            "API_LIMIT_EXCEEDED", "The API burst limit was exceeded; try again in {number} seconds", 429
        ),
    ],
    "payload-too-large": [ErrorText("HTTP_413", "Request Entity Too Large", 413)],
    "local-database-busy": [
        ErrorText("SQLITE_BUSY", "database is locked (5)"),
        ErrorText("SQLITE_LOCKED", "database table is locked: {table}"),
        ErrorText("SQLITE_READONLY", "attempt to write a readonly database (8)"),
    ],
    "local-database-damaged": [
        ErrorText("SQLITE_CORRUPT", "database disk image is malformed (11)"),
        ErrorText("SQLITE_NOTADB", "file is not a database (26)"),
    ],
    "device-storage-full": [ErrorText("SQLITE_FULL", "database or disk is full (13)")],
    "local-state-mismatch": [ErrorText("SQLITE_ERROR", "no such column: {column} (1)")],
    "device-clock": [
        ErrorText(
            "CLOCK_SKEW",
            "The device clock differs from the server time by {number} minutes; check date and time settings",
        ),
    ],
    "sync-configuration": [
        ErrorText("HTTP_404", "The configured Vault address {host} does not serve mobile sync", 404),
    ],
}
_WINDOWS: dict[str, list[ErrorText]] = {
    "network": [
        ErrorText("0x80072EE7", "The server name or address could not be resolved"),
        ErrorText("0x80072EFD", "A connection with the server could not be established"),
        ErrorText("0x80072EE2", "The operation timed out"),
        ErrorText("0x80072EFE", "The connection with the server was terminated abnormally"),
    ],
    "tls-certificate": [
        ErrorText("0x80072F0D", "The certificate authority is invalid or incorrect"),
        ErrorText("0x80072F7D", "An error occurred in the secure channel support"),
    ],
    "app-suspended": [ErrorText("0x80004004", "Operation aborted: the app was suspended by the system")],
    "device-storage-full": [
        ErrorText("0x80070070", "There is not enough space on the disk."),
        ErrorText("SQLITE_FULL", "database or disk is full (13)"),
    ],
}


def draw_error_text(cause: str, platform: str, rng: Random) -> ErrorText:
    """Draw an error text for a cause on a platform. Raises KeyError for a cause without texts."""
    table = _WINDOWS if platform == "Windows" else _APPLE
    choices = table.get(cause) or _COMMON[cause]
    if cause in table and cause in _COMMON:
        choices = choices + _COMMON[cause]
    template = rng.choice(choices)
    blanks = {
        "host": f"{rng.choice(['acme', 'verteo', 'biopharm'])}-crm.veevavault.com",
        "number": rng.randint(2, 95),
        "reference": f"{rng.getrandbits(48):012x}",
        "file": f"vault-{rng.randint(10, 99)}.sqlite-wal",
        "column": rng.choice(["r.call_channel__v", "segment__c", "a.preferred_name__v"]),
        "table": rng.choice(["call2__v", "sync_stage", "account__v"]),
    }
    return template._replace(message=template.message.format(**blanks))
