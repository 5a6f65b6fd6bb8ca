"""The client over real HTTP: sign-in, addresses, limits, and secrets that are never logged."""

import logging
import subprocess
import sys
import time

import pytest
import stamina

from ingest import (
    ApiToken,
    OAuth,
    Password,
    SignInRefused,
    VaultClient,
    VaultRefused,
    VaultUnreachable,
    WrongVault,
)
from ingest.retry_log import install_retry_log
from ingest.vault.client import version_pair
from ingest.vault.retry import requested_pause


def test_a_wrong_password_is_tried_once(vault, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(SignInRefused):
        VaultClient(vault.url, Password("svc", "wrong-secret")).sign_in()
    assert vault.logins == 1
    assert "wrong-secret" not in caplog.text


def test_no_secret_reaches_a_log_or_a_repr(vault, caplog, small_vault):
    with (
        caplog.at_level(logging.DEBUG),
        VaultClient(vault.url, Password("svc", small_vault.secret)) as client,
    ):
        client.keep_alive()
    assert "session1" not in caplog.text
    assert small_vault.secret not in caplog.text + repr(Password("svc", small_vault.secret)) + repr(
        ApiToken(small_vault.secret)
    ) + repr(OAuth("u", small_vault.secret))


def test_a_session_for_a_different_vault_is_rejected(vault, small_vault):
    vault.vault_id = 8
    with pytest.raises(WrongVault):
        VaultClient(vault.url, Password("svc", small_vault.secret)).sign_in()
    with pytest.raises(WrongVault):
        VaultClient(vault.url, Password("svc", small_vault.secret), vault_id=7).sign_in()


def test_a_token_needs_no_login_and_oauth_gets_a_session(vault):
    with VaultClient(vault.url, ApiToken("veeva-vault-token")) as client:
        client.keep_alive()
    assert vault.logins == 0
    with VaultClient(vault.url, OAuth(f"{vault.url}/auth/oauth/session/p1", "idp-token")) as client:
        client.keep_alive()
    assert vault.logins == 1


def test_the_session_is_sent_to_no_other_host(client, vault):
    vault.page_form = "https://evil.example.com/api/v26.2{}"
    with pytest.raises(VaultUnreachable, match=r"evil\.example\.com"):
        list(client.query("SELECT id FROM sync_tracking__v"))


def test_every_call_names_the_client_and_uses_the_newest_known_version(client, vault):
    client.keep_alive()
    _, path, _, headers = vault.calls[-1]
    assert path == "/api/v26.2/keep-alive"
    assert (headers["X-VaultAPI-ClientID"], headers["X-VaultAPI-ReferenceId"]) == ("synclens-ingest", "run-1")
    assert version_pair("v26.10") > version_pair("v26.2") > version_pair("v9.0")


@pytest.mark.parametrize(
    "header", [{"X-VaultAPI-BurstLimitRemaining": "3"}, {"X-VaultAPI-ResponseDelay": "500"}]
)
def test_the_client_slows_down_when_vault_does(client, vault, naps, header):
    vault.headers_to_send = header
    client.keep_alive()
    assert naps


def test_a_vault_that_stays_down_raises_an_error_with_a_next_step(vault, client):
    vault.trouble = ["proxy"] * 50
    with pytest.raises(VaultUnreachable) as down:
        client.keep_alive()
    assert "proxy" in str(down.value)
    assert len(vault.trouble) == 45


def test_a_refusal_has_the_error_type_of_vault(client):
    with pytest.raises(VaultRefused) as refused:
        client.call("GET", "/nonsense")
    assert (refused.value.type, refused.value.http_status, refused.value.retryable) == (
        "MALFORMED_URL",
        404,
        False,
    )


SCRIPT = """
import sys, stamina
from ingest import ApiToken, VaultClient
stamina.set_testing(True, attempts=5, cap=True)
with VaultClient(sys.argv[1], ApiToken("veeva-vault-token")) as client:
    client.keep_alive()
"""


def test_a_retry_is_logged_on_a_single_line(vault):
    vault.trouble = ["proxy"]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, vault.url], capture_output=True, text=True, check=True
    )
    (line,) = ran.stderr.splitlines()
    assert line.startswith("no Vault answers at 127.0.0.1: HTTP 502")
    assert line.endswith("; trying again in 0.0 s")


def test_retries_of_other_libraries_are_logged_unchanged(caplog):
    @stamina.retry(on=OSError, attempts=2)
    def fails_once():
        failed.append(1)
        if len(failed) == 1:
            raise OSError

    failed = []
    install_retry_log()
    fails_once()
    assert caplog.messages == ["stamina.retry_scheduled"]


def test_a_retry_waits_as_long_as_a_gateway_requests(vault, client):
    vault.trouble, vault.headers_to_send = ["proxy"], {"Retry-After": "1"}
    began = time.monotonic()
    with stamina.set_testing(False):
        client.keep_alive()
    assert 1.0 <= time.monotonic() - began < 30.0


@pytest.mark.parametrize(("seconds", "pause"), [("5", 5.0), ("3600", 60.0), ("soon", None), ("-1", None)])
def test_a_requested_pause_is_bounded(vault, client, seconds, pause):
    vault.trouble = ["proxy"] * 50
    vault.headers_to_send = {"Retry-After": seconds, "X-VaultAPI-DowntimeExpectedDurationMinutes": "45"}
    with pytest.raises(VaultUnreachable, match="a downtime of about 45 min is announced") as down:
        client.keep_alive()
    assert requested_pause(down.value) == pause
