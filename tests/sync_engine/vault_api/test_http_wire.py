"""Over a real socket: headers, links and replies, a dropped connection, and a client that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from veevatools.veevavault.client.vault_client import VaultClient
from veevatools.veevavault.services.queries.query_service import QueryService

from sync_engine.vault import tracking
from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState
from tests.sync_engine.vault_api.http_caller import PASSWORD, TOKEN, V, on_loopback

MakeServed = Callable[..., ServerState]


@pytest.fixture
def now(played: tuple[Path, float]) -> float:
    return played[1]


def test_a_session_over_http(make_served: MakeServed, now: float) -> None:
    with on_loopback(make_served(link_form="full"), now) as base, httpx.Client(base_url=base) as client:
        form = {"username": SERVICE_NAME, "password": PASSWORD}
        opened = client.post(f"{V}/auth", data=form).json()
        assert opened["vaultIds"][0]["url"] == f"{base}/api"
        heads = {"Authorization": f"Bearer {opened['sessionId']}", "X-VaultAPI-ReferenceId": "run-1"}
        reply = client.post(f"{V}/query", data={"q": "SELECT id FROM account__v PAGESIZE 50"}, headers=heads)
        assert reply.headers["X-VaultAPI-ReferenceId"] == "run-1"
        assert int(reply.headers["X-VaultAPI-BurstLimitRemaining"]) > 0
        link = reply.json()["responseDetails"]["next_page"]
        assert link.startswith(base)
        assert client.post(link, headers=heads).json()["responseDetails"]["pageoffset"] == 50


def test_forms_may_be_multipart(make_served: MakeServed, now: float) -> None:
    with on_loopback(make_served(), now) as base:
        parts = {"q": (None, "SELECT id FROM product__v")}
        heads = {"Authorization": f"Bearer {TOKEN}"}
        reply = httpx.post(f"{base}{V}/query", files=parts, headers=heads).json()
        assert reply["responseDetails"]["total"] == 8


def test_a_told_vault_drops_the_connection_and_goes_on(make_served: MakeServed, now: float) -> None:
    with on_loopback(make_served("drop=2"), now) as base:
        assert httpx.get(f"{base}/api/").status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{base}/api/")
        assert httpx.get(f"{base}/api/").status_code == 200


def test_each_reply_has_the_time_of_the_vault_once(make_served: MakeServed) -> None:
    at = datetime(2025, 7, 4, 9, 8, 7, 600_000, tzinfo=UTC)
    with on_loopback(make_served(), at.timestamp()) as base:
        replies = [httpx.get(f"{base}/api/"), httpx.get(f"{base}/nothing"), httpx.post(f"{base}/device")]
    assert [reply.headers.get_list("Date") for reply in replies] == [["Fri, 04 Jul 2025 09:08:07 GMT"]] * 3


def test_the_device_protocol_is_beside_it(make_served: MakeServed, now: float) -> None:
    with on_loopback(make_served(), now) as base:
        reply = httpx.post(f"{base}/device", content=b"not a message").json()
        assert reply["errors"][0]["type"] == "MALFORMED_URL"


class ToServedVault(HTTPAdapter):
    """Veevatools asks login.veevavault.com how a user signs in; this sends the question to the served Vault."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://login.veevavault.com", self.base)
        return super().send(request, *args, **kwargs)


@pytest.mark.parametrize("links", ["full", "versioned"])
def test_veevatools_signs_in_and_queries_in_bulk(make_served: MakeServed, now: float, links: str) -> None:
    served = make_served("shrink=9", link_form=links)
    with on_loopback(served, now) as base:
        client = VaultClient()
        client._session.mount("https://login.veevavault.com", ToServedVault(base))
        client.authenticate(vaultURL=base, vaultUserName=SERVICE_NAME, vaultPassword=PASSWORD)
        assert client.vaultId == 90210
        assert client.api_version_negotiated
        reply = QueryService(client).bulk_query("SELECT id, sync_type__v FROM sync_tracking__v")
        assert client.session_keep_alive()["responseStatus"] == "SUCCESS"
        client._session.close()
    truth = {one.id for one in tracking.read_tracking_records(served.vault, 0.0, now + 1)}
    assert {row["id"] for row in reply["data"]} == truth
    assert len(reply["data"]) == len(truth) > 9


def test_veevatools_signs_in_again_when_its_session_has_expired(make_served: MakeServed, now: float) -> None:
    served = make_served("shrink=9", "expire=2")
    with on_loopback(served, now) as base:
        client = VaultClient()
        client._session.mount("https://login.veevavault.com", ToServedVault(base))
        client.authenticate(vaultURL=base, vaultUserName=SERVICE_NAME, vaultPassword=PASSWORD)
        reply = QueryService(client).bulk_query("SELECT id FROM sync_tracking__v")
        client._session.close()
    assert served.faults.counts["expire"] > 0
    assert len(reply["data"]) == len(list(tracking.read_tracking_records(served.vault, 0.0, now + 1)))


def test_veevatools_is_told_of_a_wrong_password(make_served: MakeServed, now: float) -> None:
    with on_loopback(make_served(), now) as base:
        client = VaultClient()
        client._session.mount("https://login.veevavault.com", ToServedVault(base))
        with pytest.raises(Exception, match="USERNAME_OR_PASSWORD_INCORRECT"):
            client.authenticate(vaultURL=base, vaultUserName=SERVICE_NAME, vaultPassword="no")
        client._session.close()
