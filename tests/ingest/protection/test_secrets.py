import base64
import string
import time

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.protection.secrets import (
    hide_secrets,
    hint_pattern,
    is_doubtful_heading,
    is_secret_cell,
    is_secret_heading,
    rules,
)
from tests.support.examples import examples

LETTERS = string.ascii_letters + string.digits


def _opaque(shortest, longest=60, letters=LETTERS):
    body = st.text(letters, min_size=shortest - 2, max_size=longest)
    return body.map(lambda text: f"k7{text}")


def _upper(length):
    return st.text(string.ascii_uppercase + string.digits, min_size=length, max_size=length)


PLANTED = {
    "secret name and quoted value": (_opaque(4), ['{{"sessionId": "{}"}}', r"{{\"client_secret\":\"{}\"}}"]),
    "secret name = value": (
        _opaque(4),
        ["sessionid={}&x=1", "PASSWORD = {}", "AccountKey={};", "a%20api_key%3D{}"],
    ),
    "secret name: value": (_opaque(6), ["Session ID: {} is used", "refresh_token: {}", "X-Api-Key: {}"]),
    "element with a secret name": (
        _opaque(4),
        ["<urn:sessionId>{}</urn:sessionId>", "<password>{}</password>"],
    ),
    "password and one word": (_opaque(4), ["Password: {}", "kennwort: {}\nnext"]),
    "name that is often secret, and value": (
        _opaque(16),
        ["?sid={}", "&sig={}", "?code={}&state=1", "token: {}"],
    ),
    "bearer token": (_opaque(8), ["sent Bearer {}", "bearer: {}"]),
    "basic credentials": (
        _opaque(6).map(lambda text: base64.b64encode(f"svc:{text}".encode()).decode()),
        ["Basic {}", "proxy: basic {}"],
    ),
    "cookies": (_opaque(6), ["Cookie: theme=dark; VSID={}", "Set-Cookie: sid={}; Secure"]),
    "session id in a sentence": (_opaque(16), ["Invalid session {}", "session id '{}' ended"]),
    "Vault session id": (st.text("0123456789ABCDEF", min_size=128, max_size=128), ["call with {} failed"]),
    "Vault API access token": (_opaque(8).map(lambda text: f"veeva-vault-{text}"), ["used {}."]),
    "JSON Web Token": (
        _opaque(10).map(lambda text: f"eyJhbGciOi{text}.eyJzdWIi{text}.{text}"),
        ["got {} here"],
    ),
    "Salesforce session id": (_opaque(20).map(lambda text: f"00D5g0000004Xyz!{text}"), ["sid is {}"]),
    "Salesforce refresh token": (_opaque(24).map(lambda text: f"5Aep{text}"), ["grant {}"]),
    "AWS access key id": (_upper(16).map(lambda text: f"AKIA{text}"), ["key id {} denied"]),
    "Google key or token": (_opaque(35, 33).map(lambda text: f"AIza{text}"), ["maps {} quota"]),
    "Azure application secret": (
        st.tuples(_opaque(3, 1), _opaque(33, 31)).map(lambda pair: f"{pair[0]}8Q~{pair[1]}"),
        ["app {} expired"],
    ),
    "token with a prefix of its vendor": (_opaque(36).map(lambda text: f"ghp_{text}"), ["clone with {}"]),
    "password in an address": (_opaque(4), ["https://svc:{}@vault.example.com/api", "at ftp://u:{}@host"]),
    "private key": (
        _opaque(60),
        [
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
            r"-----BEGIN PRIVATE KEY-----\n{}",
        ],
    ),
}
"""For each rule: secrets, and texts that have one."""


def test_every_rule_has_planted_secrets():
    assert {rule.name for rule in rules()} == PLANTED.keys()
    assert all(rule.source for rule in rules())


@pytest.mark.parametrize("name", PLANTED)
def test_no_part_of_a_secret_is_left(name):
    secrets, texts = PLANTED[name]

    @settings(max_examples=examples(30))
    @given(secret=secrets, text=st.sampled_from(texts), around=st.text(" .,abz09", max_size=20))
    def check(secret, text, around):
        hidden = hide_secrets(f"{around} {text.format(secret)}")
        assert secret not in hidden
        assert hide_secrets(hidden) == hidden

    check()


@pytest.mark.parametrize("name", PLANTED)
def test_duckdb_finds_every_text_that_has_a_secret(name):
    secrets, texts = PLANTED[name]
    with duckdb.connect() as connection:

        @settings(max_examples=examples(20))
        @given(secret=secrets, text=st.sampled_from(texts))
        def check(secret, text):
            pattern = hint_pattern().replace("'", "''")
            matches = connection.execute(
                f"SELECT regexp_matches($text, '{pattern}')", {"text": text.format(secret)}
            ).fetchall()
            assert matches == [(True,)]

        check()


HARMLESS = (
    "Your session has expired. Sign in again.",
    "INVALID_SESSION_ID: Invalid or expired session ID.",
    "Session timeout = 30 minutes",
    "password: must contain 8 characters",
    "Password: expired",
    "Unexpected token: } in JSON at position 12",
    "Token is invalid: 1234567",
    "Basic authentication failed for user 41300",
    "Bearer token is missing",
    "authorization: denied for object account__v",
    "https://host.example:8443/users/rep@host.example",
    "call2__v V5X000000000001 was deleted",
    "record a0B5g000001XyZ2EAK of 00D5g0000012345EAA",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "execution id 7f3a1c52-1b7e-4d7c-9d7e-2f0c6a1b2c3d",
    "session 7f3a1c52-1b7e-4d7c-9d7e-2f0c6a1b2c3d of the log",
    "code=INVALID_FIELD_FOR_INSERT_UPDATE",
    "password_expiry=2026-01-01",
    "primary key: 1234567890",
    "next_page=/api/v26.2/query/0f7c2b7e-9a31?pagesize=1000",
    "sync_session_start: 2026-11-18T07:11:02Z",
    "SELECT id FROM user__sys WHERE status__v = 'active__v'",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_without_a_secret_stays(text):
    assert hide_secrets(text) == text


@settings(max_examples=examples(200))
@given(
    st.one_of(
        st.uuids().map(str),
        _upper(15),
        st.text(LETTERS, min_size=18, max_size=18),
        st.text("0123456789abcdef", min_size=32, max_size=32),
        st.text("0123456789abcdef", min_size=64, max_size=64),
        st.datetimes().map(str),
    ).filter(lambda text: not text.startswith(("AKIA", "ASIA", "ABIA", "ACCA", "A3T"))),
    st.sampled_from(
        ["record {}", "id={}", "execution_id: {}", '{{"id":"{}"}}', "/vobjects/call2__v/{}", "hash {}"]
    ),
)
def test_ids_and_hashes_of_records_stay(value, text):
    assert hide_secrets(text.format(value)) == text.format(value)


SECRET_HEADINGS = (
    "session_id", "Session ID", "sessionId", "SESSION-ID", "Session_Id__c", "ctx.session.id", "X-Session-Id",
    "Sitzungs-ID", "セッションID", "会话标识", "ID сессии", "password", "Kennwort", "пароль", "Authorization",
    "Cookie", "access_token", "API Key", "client secret",
)  # fmt: skip
OTHER_HEADINGS = (
    "id", "Record ID", "execution_id", "Session Start", "session_duration", "Object Name", "key", "Sync Token Count",
    "valid", "username", "reference_id", "Message", "password_expiry", "authorized",
)  # fmt: skip


@pytest.mark.parametrize("heading", SECRET_HEADINGS)
def test_every_value_of_a_secret_column_is_a_secret(heading):
    assert is_secret_heading(heading)
    assert is_secret_cell(heading, "abc")
    assert not is_secret_cell(heading, "expired")


@pytest.mark.parametrize("heading", OTHER_HEADINGS)
def test_other_columns_have_no_secrets(heading):
    assert not is_secret_heading(heading)
    assert not is_secret_cell(heading, "0123456789ABCDEF0123")


def test_a_column_named_session_has_secrets_if_they_are_opaque():
    assert is_doubtful_heading("Session")
    assert is_secret_cell("Session", "0123456789ABCDEF0123")
    assert not is_secret_cell("Session", "morning session 3")


@pytest.mark.parametrize(
    "part", ["a", "session", "eyJ", "password ", "://", "key_", "auth:", "cookie:", "00D"]
)
def test_long_texts_take_linear_time(part):
    def seconds(count):
        text = part * (count // len(part))
        started = time.process_time()
        hide_secrets(text)
        return time.process_time() - started

    assert seconds(400_000) < 12 * max(seconds(100_000), 0.02)
