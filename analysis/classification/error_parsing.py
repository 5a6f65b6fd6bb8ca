"""Parse an error event into its message parts, codes and HTTP statuses.

A number has a meaning only within a family: -1009 of NSURLErrorDomain, 5 of SQLite, 503 of HTTP. A wrapped message
is split, innermost part first, because the innermost error is the actual one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_CHARACTERS = 4000

_TOKEN = re.compile(r"-?\w+(?:[.:-]+\w+)*", re.ASCII)
_PART = re.compile(r"-?\w+", re.ASCII)
_NAME = re.compile(
    r"\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:[A-Z]+[a-z0-9]+){2,}|[a-z]+(?:[A-Z][a-z0-9]+)+|[a-z]+(?:_[a-z]+)+)\b"
)
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WRAPPED = re.compile(
    r"first error\s*:|caused by\s*:|nested exception is|flow tried to \w+ records\s*:"
    r"|inner exception\s*:|--->|underlying error\s*:",
    re.IGNORECASE,
)
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u00b4`\u201c\u201d", "'''''\"\"")


def _families(*pairs: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((family, re.compile(pattern, re.IGNORECASE)) for family, pattern in pairs)


_REASON = (
    r"(?:bad request|unauthori[sz]ed|forbidden|not found|conflict|gone|precondition|request entity|payload"
    r"|too many|internal server|bad gateway|service (?:temporarily )?unavailable|gateway time|locked"
    r"|insufficient storage|method not|not implemented|unprocessable|upgrade required)"
)
_NUMBERS = _families(
    ("http", r"\bhttp\b[^\d\n]{0,30}?([45]\d\d)\b"),
    ("http", r"\bstatus(?: ?code)?\b[^\d\n]{0,12}([45]\d\d)\b"),
    ("http", r"\b(?:moved \w+|found|redirect\w*)\W{1,3}(30[1278])\b"),
    ("websocket", r"websocket\w*[^\d\n]{0,40}\b(10(?:0[1-9]|1[0-5]))\b"),
    ("http", r"\b([45]\d\d)\b['\"\s:,(-]{1,4}" + _REASON),
    ("http", r"^\W{0,3}([45]\d\d)\b(?=\W|$)"),
    ("http", r"\b(?:error|code|returned|replied|response)\b[\s:=(#-]{0,6}([45]\d\d)\b"),
    ("http", r"\b([45]\d\d) (?:error|response|status)\b"),
    ("nsurl", r"NSURLError(?:Domain)?[^\d-]{0,16}(-\d{3,4})\b"),
    ("nsurl", r"\bcode\b[\s:=-]{0,4}(-\d{3,4})\b(?=.*NSURL)"),
    ("nsurl", r"\bcode\b\s?-\s?(\d{4})\b(?=.*NSURL)"),
    ("cfnetwork", r"kCFErrorDomainCFNetwork[^\d-]{0,12}(-?\d+)"),
    ("osstatus", r"(?:OSStatus|NSOSStatusErrorDomain|kCFStreamErrorCodeKey)[^\d-]{0,12}(-\d{4,5})\b"),
    ("sqlite", r"sql(?:ite|cipher)[\w.]*\W{1,4}(?:error|result|exception|extended)?\W{0,3}(?:code)?\W{0,4}"
               r"(\d{1,4})\b"),
    ("sqlite", r"\((?:code )?(\d{1,4})(?: SQLITE_\w+)?\)[^\n]{0,24}SQLITE_"),
    ("sqlite", r"\(code (\d{1,4})\b"),
    ("ckerror", r"CKError(?:Domain|Code)?[^\d\n]{0,24}?(\d{1,3})\b"),
    ("mobilesync", r"(?:Mobile|Smart)Sync\.ErrorDomain[^\d\n]{0,24}?(\d{3})\b"),
    ("ckerror", r"CKError[^\n]{0,80}?\((\d{1,3})/\d{3,4}\)"),
    ("cocoa", r"(?:NSCocoaErrorDomain|Cocoa error)[^\d]{0,12}(\d+)"),
    ("posix", r"(?:NSPOSIXErrorDomain|POSIX\w*|errno)[^\d]{0,12}(\d+)"),
    ("postgres", r"(?:SQLSTATE|postgres\w*)[^\w]{0,6}(?:code)?[^\w]{0,4}([0-9A-Z]{5})\b"),
    ("postgres", r"\"code\"\s*:\s*\"([0-9][0-9A-Z]{4})\""),
    ("mysql", r"(?:mysql|mariadb)[^\d\n]{0,30}(\d{4})\b"),
    ("mysql", r"\berror (\d{4}) \(\w{5}\)"),
    ("sqlserver", r"sql (?:server )?(?:error|exception)[^\d\n]{0,20}(\d{3,5})\b"),
    ("activesync", r"(?:activesync|\bEAS\b|provision\w*|foldersync)[^\d\n]{0,60}?\b(1[0-7]\d)\b"),
    ("winsock", r"(?:winsock|wsa|socket)\w*[^\d\n]{0,24}(1[01]\d{3})\b"),
)  # fmt: skip
# Some programs log the reason phrase of an HTTP response without its status number.
_PHRASE = re.compile(
    r"(?:(?:server|host|remote) repp?lied|status ?code|response status|http (?:status|error))\s*[:=]\s*"
    r"['\"]?([a-z -]{2,40})",
    re.IGNORECASE,
)
_PHRASES = {
    "unauthorized": 401, "forbidden": 403, "notfound": 404, "methodnotallowed": 405, "requesttimeout": 408,
    "conflict": 409, "gone": 410, "preconditionfailed": 412, "requestentitytoolarge": 413,
    "payloadtoolarge": 413, "unsupportedmediatype": 415, "unprocessableentity": 422, "locked": 423,
    "upgraderequired": 426, "toomanyrequests": 429, "internalservererror": 500, "notimplemented": 501,
    "badgateway": 502, "serviceunavailable": 503, "gatewaytimeout": 504, "insufficientstorage": 507,
    "badrequest": 400,
}  # fmt: skip
# The platform that reported a bare number in `error_type` decides its family.
_BARE = (
    (re.compile(r"ios|nsurl|apple"), re.compile(r"^-\d{3,4}$"), "nsurl"),
    (re.compile(r"ios|nsurl|apple"), re.compile(r"^-98\d\d$"), "osstatus"),
    (re.compile(r"sqlite|device_db"), re.compile(r"^\d{1,4}$"), "sqlite"),
    (re.compile(r""), re.compile(r"^\d{1,3}/\d{3,4}$"), "ckerror"),
    (re.compile(r""), re.compile(r"^[45]\d\d$"), "http"),
    (re.compile(r""), re.compile(r"^10[45]\d\d$"), "litecore"),
    (re.compile(r"^(?!.*sqlite)"), re.compile(r"^[0-9][0-9A-Z]{4}$"), "postgres"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MessagePart:
    """One part of an event: its `text`, its `codes` in lower case, its HTTP `statuses`, and the event.

    `is_code_names` marks the part whose text is the words in code names (`split_code_names`).
    """

    text: str
    codes: frozenset[str]
    statuses: frozenset[str]
    event: Mapping[str, str]
    is_code_names: bool = False


def parse_event(event: Mapping[str, str]) -> Iterator[MessagePart]:
    """Yield the parts of an event: the innermost message, the whole message, the words in code names.

    Values are text; a missing field is absent.
    """
    message = normalize_text(event.get("message", ""))
    error_type = normalize_text(event.get("error_type", ""))
    statuses = _statuses(event, message)
    whole = f"{error_type} {message}".strip()
    numbers = frozenset(_numbers(event, error_type, whole))
    inner = _innermost(message)
    if inner:
        yield MessagePart(inner, _codes(inner), frozenset(), event)
    codes = _codes(whole) | {number for number in numbers if not number.startswith("http:")}
    statuses |= {number for number in numbers if number.startswith("http:")}
    codes |= {status.replace("http:", "status:") for status in statuses}
    yield MessagePart(whole, codes, statuses, event)
    yield MessagePart(split_code_names(whole), frozenset(), statuses, event, is_code_names=True)


def normalize_text(value: str) -> str:
    """Normalize compatibility characters, apostrophes and spaces, and cut the text at 4,000 characters."""
    normalized = unicodedata.normalize("NFKC", value[:MAX_CHARACTERS]).translate(_APOSTROPHES)
    return " ".join(normalized.split())


def split_code_names(text: str) -> str:
    """Return the words in the code names of a text: IMAGE_TOO_LARGE and ImageTooLarge become "image too large"."""
    names = (" ".join(_HUMP.findall(token)).lower() for token in _NAME.findall(text))
    return ". ".join(dict.fromkeys(names))


def _innermost(message: str) -> str:
    ends = [match.end() for match in _WRAPPED.finditer(message)]
    return message[ends[-1] :].strip() if ends else ""


def _codes(text: str) -> frozenset[str]:
    # Words of prose are not codes: a code has a digit, an underscore, or capitals inside.
    tokens = {token for pattern in (_TOKEN, _PART) for token in pattern.findall(text)}
    return frozenset(token.lower() for token in tokens if _looks_like_a_code(token))


def _looks_like_a_code(token: str) -> bool:
    return (
        any(character.isdigit() or character == "_" for character in token)
        or token[1:] != token[1:].lower()
        or len(token) > 12
    )


def _numbers(event: Mapping[str, str], error_type: str, whole: str) -> Iterator[str]:
    platform = event.get("platform", "").lower()
    for reported_by, shape, family in _BARE:
        if shape.match(error_type) and reported_by.search(platform):
            yield _qualify(family, error_type.partition("/")[0])
    for family, pattern in _NUMBERS:
        for number in pattern.findall(whole):
            yield _qualify(family, number)


def _qualify(family: str, number: str) -> str:
    if family == "litecore":  # CouchbaseLite reports HTTP statuses as 10000 + status
        return f"http:{int(number) - 10000}"
    if family == "nsurl" and not number.startswith("-"):
        return f"nsurl:-{number}"
    return f"{family}:{number}".lower()


def _statuses(event: Mapping[str, str], message: str) -> frozenset[str]:
    status = event.get("http_status", "").partition(".")[0]
    statuses = {f"http:{status}"} if status.isdigit() else set()
    phrases = (phrase.lower().replace(" ", "").replace("-", "") for phrase in _PHRASE.findall(message))
    return frozenset(statuses | {f"http:{_PHRASES[phrase]}" for phrase in phrases if phrase in _PHRASES})
