"""Requests and replies as plain values, with Vault's JSON envelope.

Vault responds with HTTP 200 even to refused requests; `responseStatus` contains the result. This module uses no web
framework, so that tests can call the whole API as a function.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError

JSON_TYPE = "application/json;charset=UTF-8"
CSV_TYPE = "text/csv;charset=UTF-8"
FILE_TYPE = "application/octet-stream;charset=UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. Header names are lower case; `base` is scheme, host and port from the URL."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = "http://127.0.0.1"
    client: str = "127.0.0.1"

    def header(self, name: str, default: str = "") -> str:
        """Return the value of a header, or the default if it is missing."""
        return self.headers.get(name.lower(), default)

    def form(self) -> dict[str, str]:
        """Return the form fields of the URL and the body. Body fields override URL fields."""
        return dict(self.query) | _form(self.header("content-type"), self.body)

    def is_form(self) -> bool:
        """Return whether the body is an HTML form."""
        return "x-www-form-urlencoded" in self.header("content-type")

    def wants_csv(self) -> bool:
        """Return whether the caller accepts CSV and not JSON."""
        accepted = self.header("accept")
        return "text/csv" in accepted and "json" not in accepted

    def rows(self) -> list[JsonDict]:
        """Parse the rows of a bulk write from CSV or JSON, or one row from a form.

        Raises VaultError for any other body.
        """
        if self.is_form():
            return [dict(_form(self.header("content-type"), self.body))]
        return _csv_rows(self.body) if "csv" in self.header("content-type") else _json_rows(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP reply. It is sent after `delay` seconds; `dropped` closes the connection instead."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    dropped: bool = False


def success_reply(doc: Mapping[str, Any]) -> Reply:
    """Build a JSON reply. Its default status is SUCCESS."""
    return json_reply({"responseStatus": "SUCCESS"} | dict(doc))


def failure_reply(refusal: VaultError, *, status: int = 200, response: str = "FAILURE") -> Reply:
    """Build the JSON reply of a refused request."""
    error = {"type": refusal.type, "message": refusal.message}
    doc: JsonDict = {"responseStatus": response, "responseMessage": refusal.message, "errors": [error]}
    if refusal.cause == "authentication":
        doc["errorType"] = "AUTHENTICATION_FAILED"
    return json_reply(doc, status=status)


def json_reply(doc: Mapping[str, Any], *, status: int = 200) -> Reply:
    """Build a reply with a document as JSON."""
    return Reply(body=json.dumps(doc, ensure_ascii=False).encode("utf-8", "replace"), status=status)


def file_reply(name: str, body: bytes) -> Reply:
    """Build a reply with a file to download."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-VaultAPI-Status": "SUCCESS"}
    return Reply(body=body, content_type=FILE_TYPE, headers=headers)


def csv_reply(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Reply:
    """Build a reply with rows as CSV. Other keys of the rows are left out."""
    return Reply(body=to_csv(columns, rows), content_type=CSV_TYPE, headers={"X-VaultAPI-Status": "SUCCESS"})


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """Return rows as CSV with a header and LF line ends. Empty values have empty cells."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_to_cell(row.get(name)) for name in columns] for row in rows)
    return "".join(lines.written).encode("utf-8", "replace")


@dataclass(slots=True)
class _Lines:
    """Ends lines with LF. A writer that does so itself would not quote a CR within a value."""

    written: list[str] = field(default_factory=list)

    def write(self, line: str) -> None:
        self.written.append(line.removesuffix("\r\n") + "\n")


def _to_cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else value


def format_timestamp(seconds: float | None) -> str | None:
    """Format a time as Vault does: UTC with milliseconds and `Z`."""
    if seconds is None:
        return None
    time = datetime.fromtimestamp(round(seconds, 3), UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def format_second(at: float) -> str:
    """Format a time as audit trails and deletions do: UTC, in whole seconds."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_window(
    parameters: Mapping[str, str], now: float, *, days: int | None, default: float
) -> tuple[float, float]:
    """Return the times of `start_date` and `end_date` in seconds, by default `default` and `now`.

    Raises VaultError if one of them is more than `days` days ago, with a second of tolerance, or if they are in the
    wrong order.
    """
    texts = parameters.get("start_date"), parameters.get("end_date")
    times = [parse_timestamp(text) if text else None for text in texts]
    if days is not None and any(at is not None and at < now - days * 86400 - 1 for at in times):
        raise VaultError("INVALID_DATA", f"Only the last {days} days can be requested; choose a later date")
    since, until = default if times[0] is None else times[0], now if times[1] is None else times[1]
    if times[1] is not None and until < since:
        raise VaultError("INVALID_DATA", f"The end_date [{texts[1]}] is before the start_date")
    return since, until


def parse_timestamp(text: str) -> float:
    """Parse a date or datetime and return seconds since 1970. The default time zone is UTC.

    Raises VaultError for any other text.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        error_message = f"[{text[:40]}] is no date or datetime; write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS.SSSZ"
        raise VaultError("INVALID_DATA", error_message) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def parse_whole_number(text: str | None, default: int, *, low: int = 0, high: int | None = None) -> int:
    """Parse a whole number. Raises VaultError if it is invalid or out of bounds."""
    if text is None or text == "":
        return default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low or (high is not None and value > high):
        bound = f"at least {low}" if high is None else f"from {low} to {high}"
        raise VaultError("INVALID_DATA", f"[{text[:40]}] is not a whole number {bound}")
    return value


def _form(content_type: str, body: bytes) -> dict[str, str]:
    if content_type.startswith("multipart/"):
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + body)
        parts = message.iter_parts() if message.is_multipart() else ()
        named = ((part.get_param("name", header="content-disposition"), part) for part in parts)
        return {str(name): _text(part.get_payload(decode=True)) for name, part in named if name}
    if "urlencoded" in content_type or not content_type:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return {}


def _text(payload: object) -> str:
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload or "")


def _csv_rows(body: bytes) -> list[JsonDict]:
    """Parse CSV rows. Documented: a backslash is written twice. Columns that a row leaves out are empty."""
    try:
        text = body.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise VaultError("INVALID_DATA", f"The CSV cannot be read: {error}") from None
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise VaultError("INVALID_DATA", f"Row [{number}] of the CSV has more values than the header")
    if len(set(reader.fieldnames or ())) < len(reader.fieldnames or ()):
        raise VaultError("INVALID_DATA", "The header of the CSV names a column twice")
    return [
        {name.strip(): value.replace("\\\\", "\\") if value else value for name, value in row.items()}
        for row in rows
    ]


def _json_rows(body: bytes) -> list[JsonDict]:
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise VaultError("INVALID_DATA", f"The JSON cannot be read: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise VaultError("INVALID_DATA", "The body must be a JSON list of objects")
    return rows
