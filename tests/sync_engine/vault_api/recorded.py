"""Requests of Vault's clients with the documented replies, read from files, sent to a server and compared.

A file in `requests/` has a list of `[[request]]` with
  name, source   what is asked, and the page or the client's code that documents it
  call           method and path; a path that does not start with /api follows the version
  headers, form, body, anonymous   what is sent; without `anonymous` also the session
  repeat         how many rows of the body are sent, if it is a JSON list with one row
  status         of HTTP, by default 200
  type           of the content, by default JSON
  reply          the documented reply as JSON, see `compare`; for other content a regular expression of the whole body
  reply_headers  regular expressions of whole headers
  save           names for values of the reply; later requests write them as {name}
"""

from __future__ import annotations

import http.client
import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sync_engine.vault_api.http_caller import PASSWORD, TOKEN, V

FOLDER = Path(__file__).with_name("requests")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json;charset=UTF-8"
KINDS = {
    "<text>": lambda value: isinstance(value, str),
    "<number>": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "<boolean>": lambda value: isinstance(value, bool),
    "<list>": lambda value: isinstance(value, list),
    "<anything>": lambda value: True,
    "<time>": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(value)),
    "<second>": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(value)),
    "<minute>": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", str(value)),
}


@dataclass
class Client:
    """Sends requests to a served Vault and keeps the values that they saved."""

    base: str
    saved: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.saved |= {"user": "integration@example.com", "password": PASSWORD, "token": TOKEN}

    def send(self, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        method, _, path = self.fill(request["call"]).partition(" ")
        headers = {"Accept": "application/json"}
        if "session" in self.saved and not request.get("anonymous"):
            headers["Authorization"] = self.saved["session"]
        body = self.fill(request.get("body", ""))
        if "repeat" in request:
            body = json.dumps(json.loads(body) * request["repeat"])
        if "form" in request:
            headers["Content-Type"] = FORM
            body = urlencode({name: self.fill(value) for name, value in request["form"].items()})
        headers |= {name: self.fill(value) for name, value in request.get("headers", {}).items()}
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=60)
        try:
            address = path if path.startswith(("/api", "/auth/")) else V + path
            connection.request(method, address.replace(" ", "%20"), body.encode(), headers)
            reply = connection.getresponse()
            return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def fill(self, text: str) -> str:
        """Replace {name} by the value that a request saved under this name."""
        return re.sub(r"\{(\w+)\}", lambda match: self.saved.get(match[1], match[0]), text)

    def check(self, request: dict[str, Any]) -> list[str]:
        """Send a request and return how the reply differs from the documented one."""
        status, headers, body = self.send(request)
        kind = request.get("type", JSON)
        differences = [] if status == request.get("status", 200) else [f"status {status}"]
        if headers.get("content-type") != kind:
            return [*differences, f"content type {headers.get('content-type')}: {body[:300]!r}"]
        for name, pattern in request.get("reply_headers", {}).items():
            value = headers.get(name.lower(), "")
            if not re.fullmatch(self.fill(pattern), value):
                differences.append(f"header {name} is {value!r}")
        if kind != JSON:
            expected = self.fill(request.get("reply", ".*"))
            if not re.fullmatch(expected, body.decode("utf-8", "replace"), re.DOTALL):
                differences.append(f"body {body[:300]!r}")
            return differences
        doc = json.loads(body)
        differences += compare(json.loads(self.fill(request["reply"])), doc)
        for name, path in request.get("save", {}).items():
            self.saved[name] = str(_follow(doc, path))
        return differences


def read_requests() -> dict[str, list[dict[str, Any]]]:
    return {path.stem: tomllib.loads(path.read_text())["request"] for path in sorted(FOLDER.glob("*.toml"))}


def compare(expected: Any, value: Any, at: str = "reply") -> list[str]:
    """Return how a value differs from the documented one.

    An object must have the documented keys, and none else if "<only>" is true. "<absent>" is a key that must not be
    there. In a list, "<each>" comes before what every item is (there must be one), "<some>" before what one item is;
    other lists are compared item by item. "<text>" and other names of `KINDS` are kinds of values, "~" comes before
    a regular expression, "<text?>" also allows null. Other values are equal.
    """
    if isinstance(expected, dict):
        if not isinstance(value, dict):
            return [f"{at} is {value!r:.300}, not an object"]
        keys = {name for name in expected if name != "<only>"}
        differences = [
            f"{at}.{name} is undocumented" for name in value if expected.get("<only>") and name not in keys
        ]
        for name in sorted(keys):
            if expected[name] == "<absent>":
                differences += [f"{at}.{name} is there"] if name in value else []
            elif name not in value:
                differences.append(f"{at}.{name} is missing in {value!r:.300}")
            else:
                differences += compare(expected[name], value[name], f"{at}.{name}")
        return differences
    if isinstance(expected, list):
        return _compare_list(expected, value, at)
    if isinstance(expected, str):
        if expected.startswith("~"):
            return (
                [] if re.fullmatch(expected[1:], str(value)) else [f"{at} is {value!r:.300}, not {expected}"]
            )
        if expected.replace("?>", ">") in KINDS:
            allowed = (expected.endswith("?>") and value is None) or KINDS[expected.replace("?>", ">")](value)
            return [] if allowed else [f"{at} is {value!r:.300}, not {expected}"]
    same = type(expected) is type(value) and expected == value
    return [] if same else [f"{at} is {value!r:.300}, not {expected!r}"]


def _compare_list(expected: list[Any], value: Any, at: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{at} is {value!r:.300}, not a list"]
    if expected[:1] == ["<each>"]:
        if not value:
            return [f"{at} is empty"]
        return [each for n, item in enumerate(value) for each in compare(expected[1], item, f"{at}.{n}")]
    if expected[:1] == ["<some>"]:
        return [
            f"{at} has no {wanted!r:.300}: {value!r:.600}"
            for wanted in expected[1:]
            if all(compare(wanted, item) for item in value)
        ]
    if len(expected) != len(value):
        return [f"{at} has {len(value)} items, not {len(expected)}: {value!r:.300}"]
    return [
        each
        for n, (one, other) in enumerate(zip(expected, value, strict=True))
        for each in compare(one, other, f"{at}.{n}")
    ]


def _follow(doc: Any, path: str) -> Any:
    for name in path.split("/"):
        doc = doc[int(name)] if isinstance(doc, list) else doc[name]
    return doc
