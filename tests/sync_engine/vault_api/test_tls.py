"""The served Vault over https, with a certificate made on start."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from veevatools.veevavault.client.vault_client import VaultClient

from sync_engine.vault_api.server_state import SERVICE_NAME, ServerState
from synclens.tls import make_loopback_certificate
from tests.sync_engine.vault_api.http_caller import PASSWORD, TOKEN, V, on_loopback
from tests.sync_engine.vault_api.test_http_wire import ToServedVault

MakeServed = Callable[..., ServerState]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def now(played: tuple[Path, float]) -> float:
    return played[1]


def trusting(authority: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.decode())


def test_a_client_that_trusts_the_authority_connects_and_links_are_https(
    make_served: MakeServed, now: float
) -> None:
    certificate = make_loopback_certificate()
    heads = {"Authorization": f"Bearer {TOKEN}"}
    with (
        on_loopback(make_served(link_form="full"), now, certificate.context) as base,
        httpx.Client(base_url=base, headers=heads, verify=trusting(certificate.authority)) as client,
    ):
        assert client.get("/api/").json()["values"]["v26.2"] == f"{base}{V}"
        reply = client.post(f"{V}/query", data={"q": "SELECT id FROM account__v PAGESIZE 5"}).json()
        assert reply["responseDetails"]["next_page"].startswith(base)
        opened = client.post(f"{V}/auth", data={"username": SERVICE_NAME, "password": PASSWORD}).json()
        assert opened["vaultIds"][0]["url"] == f"{base}/api"
        files = client.get(f"{V}/services/directdata/files?extract_type=full_directdata").json()["data"]
        part = files[-1]["filepart_details"][0]
        assert part["url"].startswith("https://")
        assert len(client.get(part["url"]).content) == part["size"]


def test_a_client_that_does_not_trust_it_and_one_without_tls_get_nothing(
    make_served: MakeServed, now: float
) -> None:
    certificate, other = make_loopback_certificate(), make_loopback_certificate()
    with on_loopback(make_served(), now, certificate.context) as base:
        for context in (ssl.create_default_context(), trusting(other.authority)):
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                httpx.get(f"{base}/api/", verify=context)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{base}/api/".replace("https", "http"))


def test_veevatools_connects_over_https(
    make_served: MakeServed, now: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_loopback_certificate()
    (tmp_path / "ca.pem").write_bytes(certificate.authority)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with on_loopback(make_served(), now, certificate.context) as base:
        client = VaultClient()
        client._session.mount("https://login.veevavault.com", ToServedVault(base))
        client.authenticate(vaultURL=base, vaultUserName=SERVICE_NAME, vaultPassword=PASSWORD)
        assert client.session_keep_alive()["responseStatus"] == "SUCCESS"
        client._session.close()


def test_the_command_prints_the_fingerprint_and_writes_no_private_key(tmp_path: Path) -> None:
    code = "from synclens.commands.vault import vault_app; vault_app()"
    args = ("serve", "--db", tmp_path / "v.sqlite", "--port", "0", "--days", "0", "--tls", "--token", TOKEN)
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            text = ""
            deadline = time.monotonic() + 60
            while "fingerprint" not in text and time.monotonic() < deadline:
                text += process.stderr.readline()
            port = int(re.findall(r"https://127\.0\.0\.1:(\d+)", text)[0])
            authority = (tmp_path / "v.ca.pem").read_bytes()
            context = trusting(authority)
            with (
                socket.create_connection(("127.0.0.1", port)) as raw,
                context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
            ):
                der = secured.getpeercert(binary_form=True)
            digest = hashlib.sha256(der or b"").hexdigest().upper()
            assert re.findall(r"fingerprint of the certificate:\s+([0-9A-F:\s]+)", text.replace("\n", ""))
            assert digest in re.sub(r"[:\s]", "", text)
            heads = {"Authorization": f"Bearer {TOKEN}"}
            base = f"https://localhost:{port}"
            assert (
                httpx.get(f"{base}{V}", headers=heads, verify=context, timeout=60).json()["responseStatus"]
                == "SUCCESS"
            )
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    assert b"PRIVATE KEY" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
