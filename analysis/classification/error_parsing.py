"""Parse an error event into its message parts, codes and HTTP statuses.

A number has a meaning only within a family: -1009 of NSURLErrorDomain, 5 of SQLite, 503 of HTTP. A wrapped message
is split, innermost part first, because the innermost error is the actual one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.classification.bodies import find_details
from analysis.classification.codes.tables import bare_patterns, number_patterns
from analysis.classification.envelopes import find_status, strip_envelope

MAX_CHARACTERS = 4000

_TOKEN = re.compile(r"-?\w+(?:[.:-]+\w+)*", re.ASCII)
_PART = re.compile(r"-?\w+", re.ASCII)
_PATH = re.compile(r"[A-Za-z]\w*(?:[/-]\w+)+", re.ASCII)
"""A code with a namespace: auth/wrong-password, IWBEP/CM_MGW_RT."""
_NAME = re.compile(
    r"\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:[A-Z]+[a-z0-9]+){2,}|[a-z]+(?:[A-Z][a-z0-9]+)+|[a-z]+(?:_[a-z]+)+|[a-z]+(?:-[a-z]+){2,})\b"
)
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WRAPPED = re.compile(
    r"first error\s*:|caused by\s*:|nested exception is|flow tried to \w+ records\s*:"
    r"|inner exception\s*:|--->|underlying error\s*:",
    re.IGNORECASE,
)
_APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u00b4`\u201c\u201d", "'''''\"\"")


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


def parse_event(event: Mapping[str, str]) -> list[tuple[MessagePart, ...]]:
    """Return the readings of an event, the one that states the cause best first. The last is the whole message.

    The first readings are the texts inside the message, then follows the message without its envelope. Those two
    last readings have a second part: the words in code names. Values are text; a missing field is absent.
    """
    message = normalize_text(event.get("message", ""))
    error_type = normalize_text(event.get("error_type", ""))
    whole = f"{error_type} {message}".strip()
    numbers = frozenset(_numbers(event, error_type, whole))
    statuses = _statuses(event, message) | {number for number in numbers if number.startswith("http:")}
    if status := find_status(whole):
        statuses |= {f"http:{status}"}
    codes = _codes(whole) | {number for number in numbers if not number.startswith("http:")}
    codes |= {status.replace("http:", "status:") for status in statuses}
    event = _with_status(event, statuses)
    names = MessagePart(split_code_names(whole), frozenset(), statuses, event, is_code_names=True)
    readings: list[tuple[MessagePart, ...]] = [
        (MessagePart(inner, _codes(inner), statuses, event),) for inner in _inner_texts(message)
    ]
    if (core := strip_envelope(message)) != message:
        readings.append((MessagePart(f"{error_type} {core}".strip(), codes, statuses, event), names))
    readings.append((MessagePart(whole, codes, statuses, event), names))
    return readings


def _with_status(event: Mapping[str, str], statuses: frozenset[str]) -> Mapping[str, str]:
    """Return an event with the status that its message states, if it has no other."""
    if event.get("http_status") or not statuses:
        return event
    return {**event, "http_status": min(statuses).removeprefix("http:")}


def normalize_text(value: str) -> str:
    """Normalize compatibility characters, apostrophes and spaces, and cut the text at 4,000 characters."""
    normalized = unicodedata.normalize("NFKC", value[:MAX_CHARACTERS]).translate(_APOSTROPHES)
    return " ".join(normalized.split())


def split_code_names(text: str) -> str:
    """Return the words in the code names of a text: IMAGE_TOO_LARGE and ImageTooLarge become "image too large"."""
    names = (" ".join(_HUMP.findall(token)).lower() for token in _NAME.findall(text))
    return ". ".join(dict.fromkeys(names))


def _inner_texts(message: str) -> list[str]:
    """Return the texts inside a message, most specific first: details of a body, a wrapped error."""
    texts = [strip_envelope(text) for text in (*find_details(message), _innermost(message)) if text]
    return [text for text in dict.fromkeys(texts) if text != message]


def _innermost(message: str) -> str:
    ends = [match.end() for match in _WRAPPED.finditer(message)]
    return message[ends[-1] :].strip() if ends else ""


def _codes(text: str) -> frozenset[str]:
    # Words of prose are not codes: a code has a digit, an underscore, or capitals inside.
    tokens = {token for pattern in (_TOKEN, _PART, _PATH) for token in pattern.findall(text)}
    return frozenset(token.lower() for token in tokens if _looks_like_a_code(token))


def _looks_like_a_code(token: str) -> bool:
    return (
        any(character.isdigit() or character == "_" for character in token)
        or token[1:] != token[1:].lower()
        or len(token) > 12
    )


def _numbers(event: Mapping[str, str], error_type: str, whole: str) -> Iterator[str]:
    platform = event.get("platform", "").lower()
    for reported_by, shape, family in bare_patterns():
        if shape.match(error_type) and reported_by.search(platform):
            yield _qualify(family, error_type.partition("/")[0])
    for family, pattern in number_patterns():
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
