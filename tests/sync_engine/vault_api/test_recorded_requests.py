"""The served Vault answers requests of Veeva's own clients with the documented replies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sync_engine.vault_api.server_state import ServerState
from tests.sync_engine.vault_api.http_caller import on_loopback
from tests.sync_engine.vault_api.recorded import Client, compare, read_requests

REQUESTS = read_requests()
NEEDED = {"name", "source", "call"}
KNOWN = NEEDED | {
    "headers", "form", "body", "anonymous", "repeat", "status", "type", "reply", "reply_headers", "save"
}  # fmt: skip


def test_every_request_has_a_source() -> None:
    requests = [each for group in REQUESTS.values() for each in group]
    assert len(requests) >= 60
    for each in requests:
        assert set(each) >= NEEDED and set(each) <= KNOWN, each["name"]
        assert "reply" in each or each["type"], each["name"]
        assert each["source"].startswith(("https://", "VAPIL ", "Accelerators ")), each["name"]
    names = [(group, each["name"]) for group, each_group in REQUESTS.items() for each in each_group]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("group", REQUESTS)
def test_replies_are_as_documented(
    make_served: Callable[..., ServerState], played: tuple[Path, float], group: str
) -> None:
    differences: dict[str, list[str]] = {}
    with on_loopback(make_served(), played[1]) as base:
        client = Client(base)
        if group != "authentication":
            assert client.check(REQUESTS["authentication"][0]) == []
        for request in REQUESTS[group]:
            if difference := client.check(request):
                differences[request["name"]] = difference
    assert differences == {}


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": True}),
        ({"a": "<absent>"}, {"a": None}),
        ({"<only>": True, "a": 1}, {"a": 1, "b": 2}),
        (["<each>", "<text>"], []),
        (["<each>", "<text>"], ["a", 1]),
        (["<some>", "a"], ["b"]),
        ([1, 2], [1]),
        ([1, 2], [2, 1]),
        ("~a+", "b"),
        ("<time>", "2026-01-01T00:00:00Z"),
        ("<number>", True),
        ("<number>", None),
        ({"a": 1}, [1]),
    ],
)
def test_a_difference_is_seen(expected: object, value: object) -> None:
    assert compare(expected, value)


def test_the_same_is_no_difference() -> None:
    doc = {"a": [1, "x", None, {"b": "2026-01-01T00:00:00.000Z"}]}
    assert compare(doc, doc) == []
    assert compare({"a": [1, "~x|y", "<text?>", {"b": "<time>"}]}, doc) == []
