"""Nothing that a device can send makes the Vault raise, or leaves half a change behind."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_engine.lab import Lab
from sync_engine.vault.server import handle_request
from tests.support.examples import examples

HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [2**63, -(2**70), 10**400, float("nan"), float("inf"), "\ud800", "\0", "'; --", "", [], {}]
    ),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@pytest.fixture(scope="module")
def lab():
    made = Lab("ana", "ben")
    made.create("ana", "account__v", name__v="Dr Ruiz")
    made.sync("ana", "ben")
    yield made
    made.close()


def places(value, path=()):
    """The path of every leaf of a message."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, inner in pairs for leaf in places(inner, (*path, key))]
    return [path]


def spoiled(message, path, value):
    for key in path[:-1]:
        message = message[key]
    message[path[-1]] = value


@settings(
    max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_real_request_with_one_hostile_value_is_answered(lab, data):
    sent = [json.loads(raw.partition(b"\n")[0]) for raw in lab.requests]
    message = data.draw(st.sampled_from(sent))
    leaves = [path for path in places(message) if path]
    message = json.loads(json.dumps(message))
    spoiled(message, data.draw(st.sampled_from(leaves)), data.draw(HOSTILE))
    before = list(lab.vault.db.iterdump())
    reply = handle_request(json.dumps(message).encode(), lab.vault, lab.scheduler.now)
    assert json.loads(reply.partition(b"\n")[0])["responseStatus"] in {"SUCCESS", "FAILURE"}
    if b'"FAILURE"' in reply:
        assert list(lab.vault.db.iterdump()) == before


@pytest.mark.parametrize(
    "raw",
    [
        b'{"verb":' + b"[" * 100_000,
        b'{"verb":["pull"]}',
        b'{"verb":{}}',
        b'{"verb":"pull","cursor":NaN}',
        b"null",
    ],
    ids=["deep", "list", "object", "not a number", "null"],
)
def test_a_misshapen_request_is_refused(lab, raw):
    assert b'"FAILURE"' in handle_request(raw, lab.vault, lab.scheduler.now)
