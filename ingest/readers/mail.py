"""Read mails: the error messages in the text, and the attachments as files.

A quoted or marked paragraph, or one with an error code, is a message. Greeting, signature, disclaimers and the
headers of quoted mails are none. Without a marked paragraph, the whole text is one message.
"""

from __future__ import annotations

import email
import mailbox
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage, MIMEPart
from email.utils import parseaddr
from pathlib import Path

from ingest.readers.html_text import html_to_text
from ingest.readers.levels import shows_error, shows_error_code
from ingest.readers.log_lines import parse_line
from ingest.readers.pasted_text import join_lines
from ingest.readers.prose_words import (
    is_attribution,
    is_closing,
    is_disclaimer,
    is_footer,
    is_greeting,
    is_quoted_header,
)
from ingest.readers.rows import RawRow, RowSource, replace_surrogates

MOST_ATTACHMENTS = 200
"""Attachments of one mail that are read."""

_HEADER = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9-]*):(?:\s|$)")
_MAIL_HEADERS = frozenset(
    {
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "received",
        "return-path",
        "content-type",
        "cc",
    }
)
_MBOX_START = re.compile(r"From \S+.* \d{4}\s*$")
_QUOTE = re.compile(r"^(?:\s?>)+ ?")
_BULLET = re.compile(r"^\s*(?:[-*•‣–]|\d{1,2}[.)])\s+")
_IN_QUOTES = re.compile(r"[„“\"«»‚‘「『]([^„“”\"«»‘’」』]{12,})[“”\"»«’‘」』]")
_MOST_HEADER_LINES = 200


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail."""

    name: str
    content: bytes


@dataclass(slots=True)
class _Paragraph:
    number: int
    lines: list[str] = field(default_factory=list)
    marked: bool = False


def identify_mail(start: str) -> str | None:
    """Return "mail" or "mbox" if a text begins like one, or None."""
    lines = start.splitlines()[:_MOST_HEADER_LINES]
    if lines and _MBOX_START.fullmatch(lines[0]) and identify_mail("\n".join(lines[1:])):
        return "mbox"
    names = set()
    for line in lines:
        if not line.strip():
            break
        match = _HEADER.match(line)
        if match is None and line[:1] not in (" ", "\t"):
            return None
        if match:
            names.add(match["name"].casefold())
    return "mail" if len(names & _MAIL_HEADERS) >= 3 and names & {"from", "subject", "received"} else None


def read_mail(content: bytes, name: str) -> tuple[RowSource, list[Attachment]]:
    """Return the messages in the text of a mail, and its attachments."""
    message = email.message_from_bytes(content, policy=policy.default)
    attachments = _attachments(message)
    rows, notes = _read_text(_body(message), may_be_empty=bool(attachments))
    user = replace_surrogates(parseaddr(str(message.get("From", "")))[1])
    for row in rows:
        row.cells = {"message": row.cells["message"], "user_id": user or None}
    source = RowSource(name, ["message", "user_id"], iter(rows), notes=notes, may_be_empty=bool(attachments))
    if time := _date(message):
        source.document_time, source.document_time_source = time, "the date of the mail"
    return source, attachments


def identify_mail_file(path: Path) -> str | None:
    """Return "mail" or "mbox" if a file is one, or None."""
    with path.open("rb") as file:
        return identify_mail(file.read(65_536).decode("latin-1").lstrip("\ufeffï»¿\r\n"))


def read_mails(path: Path, name: str, kind: str) -> Iterator[tuple[RowSource, list[Attachment]]]:
    """Yield the mail in a file, or each mail of a mailbox in the mbox format."""
    if kind == "mail":
        yield read_mail(path.read_bytes().removeprefix(b"\xef\xbb\xbf").lstrip(), name)
        return
    for number, message in enumerate(mailbox.mbox(path, create=False), start=1):
        yield read_mail(message.as_bytes(), f"{name}#{number}")


def _date(message: EmailMessage) -> datetime | None:
    try:
        date = message["Date"]
        time = getattr(date, "datetime", None)
    except (TypeError, ValueError, IndexError):
        return None
    if not isinstance(time, datetime):
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    text = _decode(part)
    if part.get_content_type() == "text/html":
        return html_to_text(text)
    if part.get_param("format") == "flowed":
        text = re.sub(r"(?<=\S) \r?\n(?!>|\s|-- )", " ", text)
    return text


def _decode(part: MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    for encoding in (part.get_content_charset() or "utf-8", "utf-8", "cp1252"):
        try:
            return replace_surrogates(content.decode(encoding))
        except (LookupError, UnicodeDecodeError):
            continue
    return content.decode("latin-1")


def _attachments(message: EmailMessage) -> list[Attachment]:
    parts = list(message.iter_attachments())[:MOST_ATTACHMENTS]
    contents = [(part, _content(part)) for part in parts]
    return [
        Attachment(_file_name(part.get_filename() or f"attachment {number}"), content)
        for number, (part, content) in enumerate(contents, start=1)
        if content
    ]


def _content(part: MIMEPart) -> bytes:
    """Return the bytes of an attachment; none for the images of a signature."""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], EmailMessage) else b""
    is_attached = part.get_content_disposition() == "attachment"
    if part.get_content_maintype() == "image" and part.get("Content-ID") and not is_attached:
        return b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _file_name(name: str) -> str:
    return replace_surrogates(Path(name.replace("\\", "/")).name) or "attachment"


def _read_text(text: str, *, may_be_empty: bool) -> tuple[list[RawRow], list[str]]:
    paragraphs = [each for each in _paragraphs(text.splitlines()) if not is_disclaimer("\n".join(each.lines))]
    marked = [each for paragraph in paragraphs for each in _marked_messages(paragraph)]
    if marked:
        others = len(paragraphs) - len({number for number, _ in marked})
        return _as_rows(marked), [f"paragraphs without an error message, skipped: {others}"] if others else []
    with_signs = [
        (each.number, join_lines(each.lines)) for each in paragraphs if shows_error(" ".join(each.lines))
    ]
    if with_signs:
        return _as_rows(with_signs), []
    if may_be_empty:
        return [], ["no paragraph of the mail looks like an error message: only its attachments are read"]
    whole = join_lines([line for each in paragraphs for line in each.lines])
    notes = ["no paragraph of the mail looks like an error message: its text is read as one"]
    return (_as_rows([(paragraphs[0].number, whole)]), notes) if whole else ([], ["the mail has no text"])


def _as_rows(messages: Sequence[tuple[int, str]]) -> list[RawRow]:
    return [RawRow(number, {"message": message}) for number, message in dict.fromkeys(messages)]


def _paragraphs(lines: Sequence[str]) -> Iterator[_Paragraph]:
    """Yield the paragraphs of a mail and of the mails quoted in it, without greetings, signatures and headers."""
    current, quoted_mail, signature, depth_above = _Paragraph(1), False, False, 0
    for number, line in enumerate(lines, start=1):
        quote = _QUOTE.match(line)
        depth = quote[0].count(">") if quote else 0
        text = line[quote.end() :] if quote else line
        starts_mail = is_attribution(text) or (is_quoted_header(text) and (signature or not current.lines))
        if starts_mail or depth != depth_above:
            signature = False
        quoted_mail = (
            (quoted_mail or starts_mail) if depth or starts_mail else quoted_mail and not depth_above
        )
        ends = not text.strip() or starts_mail or depth != depth_above or _BULLET.match(text) is not None
        if ends and current.lines:
            yield current
            current = _Paragraph(number)
        depth_above = depth
        if starts_mail or is_closing(text):
            signature = signature or not starts_mail
            continue
        if signature or not text.strip() or is_footer(text) or (not current.lines and is_greeting(text)):
            continue
        if not current.lines:
            marked = (
                (depth > 0 and not quoted_mail) or bool(_BULLET.match(text)) or text[:4] in ("    ", "\t")
            )
            current = _Paragraph(number, marked=marked or text.startswith("\t"))
        current.lines.append(_BULLET.sub("", text).strip())
    if current.lines:
        yield current


def _marked_messages(paragraph: _Paragraph) -> Iterator[tuple[int, str]]:
    """Yield the messages that a paragraph marks: by a quote, a bullet, quotation marks, a code or a log line."""
    text = join_lines(paragraph.lines)
    if paragraph.marked or shows_error_code(text) or _is_log_line(paragraph.lines[0]):
        yield paragraph.number, text
    else:
        yield from (
            (paragraph.number, match[1]) for match in _IN_QUOTES.finditer(text) if shows_error(match[1])
        )


def _is_log_line(line: str) -> bool:
    cells = parse_line(line)
    return cells is not None and "level" in cells and "occurred_at" in cells
