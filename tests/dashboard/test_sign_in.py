"""Sign-in with OpenID Connect against a local provider: access and permissions by role."""

from __future__ import annotations

import json
import re
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlencode

import pytest
import uvicorn
from playwright.sync_api import Browser, Locator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

import analysis
from benchmarks import dashboard as bench
from dashboard.auth import HIDDEN
from dashboard.clock import now
from ingest import open_store

pytest.importorskip("authlib", reason="sign-in needs Authlib, which is not installed: pip install Authlib")
joserfc_jwt = pytest.importorskip("joserfc.jwt", reason="the local provider needs joserfc, a part of Authlib")
joserfc_jwk = pytest.importorskip("joserfc.jwk")

expect.set_options(timeout=120_000)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(bench.CHROMIUM is None, reason="no Chromium here; install the package chromium"),
]
CLIENT, SECRET = "synclens", "known only to this test"
USERS = {
    "vera": ["viewer"],
    "emil": ["viewer", "engineer"],
    "ada": "admin",
    "nora": None,
    "mallory": ["admin"],  # with a forged token
}


class Provider:
    """The parts of an OpenID provider for the authorization code flow. A click on a user signs that user in."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = joserfc_jwk.RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})
        self.forged = joserfc_jwk.RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/authorize", self.authorize),
                Route("/consent/{user}", self.consent),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    async def configuration(self, _: Request) -> Response:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {name: f"{self.issuer}/{place}" for name, place in places.items()}
            | {
                "issuer": self.issuer,
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def authorize(self, request: Request) -> Response:
        assert request.query_params["client_id"] == CLIENT
        query = request.url.query
        links = "".join(f'<p><a href="/consent/{name}?{query}">{name}</a></p>' for name in USERS)
        return HTMLResponse(f"<h1>Who are you?</h1>{links}")

    async def consent(self, request: Request) -> Response:
        query, user = request.query_params, request.path_params["user"]
        code = f"code-{len(self.codes)}"
        self.codes[code] = {"user": user, "nonce": query.get("nonce", "")}
        answer = urlencode({"code": code, "state": query["state"]})
        return RedirectResponse(f"{query['redirect_uri']}?{answer}")

    async def token(self, request: Request) -> Response:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        credentials = [unquote(part) for part in b64decode(encoded).decode().split(":")] if encoded else []
        form = await request.form()
        if scheme != "Basic" or credentials != [CLIENT, SECRET] or form["code"] not in self.codes:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        session = self.codes.pop(str(form["code"]))
        return JSONResponse(
            {
                "access_token": "none",
                "token_type": "Bearer",
                "expires_in": 600,
                "id_token": self.sign_token(session),
            }
        )

    def sign_token(self, session: dict[str, str]) -> str:
        at, user = now(), session["user"]
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": user,
            "email": f"{user}@example.com",
            "iat": int(at.timestamp()),
            "exp": int((at + timedelta(minutes=10)).timestamp()),
            "nonce": session["nonce"],
        }
        if USERS[user] is not None:
            claims["roles"] = USERS[user]
        key = self.forged if user == "mallory" else self.key
        return str(joserfc_jwt.encode({"alg": "RS256", "kid": "ours"}, claims, key))

    async def keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(Provider(issuer).app(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield issuer
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def guarded(stores, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A dashboard with sign-in that masks names from viewers, and its worst issue."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    settings = {
        "redirect_uri": f"http://localhost:{port}/oauth2callback",
        "cookie_secret": "long enough to be a secret of sixteen bytes and more",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
    }
    secrets = folder / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    secrets.write_text("\n".join(["[auth]", *lines]), encoding="utf-8")
    store = folder / "guarded.duckdb"
    store.write_bytes(Path(stores["normal"]).read_bytes())
    with open_store(store) as opened:
        issue_id = analysis.list_issues(opened)["issue_id"].iloc[0]
    state = analysis.TriageState.for_store(store)
    state.assign(issue_id, "zoe", actor="test", at=now())
    with bench.serve(store, folder=folder, port=port, SYNCLENS_MASK_NAMES="1") as server:
        yield SimpleNamespace(
            address=server.address, issue=f"/issue?period=all+time&issue={issue_id}", issue_id=issue_id,
            state=state,
        )  # fmt: skip


@pytest.fixture
def page(chromium: Browser, guarded: SimpleNamespace) -> Iterator[Page]:
    context = chromium.new_context(base_url=guarded.address, viewport={"width": 1440, "height": 1000})
    opened = context.new_page()
    opened.set_default_timeout(120_000)
    yield opened
    context.close()


def sign_in(page: Page, user: str) -> None:
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=user).click()


def signed_in(page: Page, user: str, role: str) -> Locator:
    """The footer of the menu. An invisible character prevents a link from the address."""
    return page.get_by_text(re.compile(rf"{user}.?@example\.com, {role}"))


@pytest.mark.parametrize(
    ("user", "role"), [("vera", "viewer"), ("emil", "engineer"), ("ada", "admin"), ("nora", "viewer")]
)
def test_the_claim_sets_the_permissions(page, guarded, user, role):
    page.goto(guarded.issue)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.get_by_test_id("stMetric").count() == 0, "nothing is visible before sign-in"

    sign_in(page, user)
    expect(signed_in(page, user, role)).to_be_visible()
    page.goto(guarded.issue)
    bench.wait_until_idle(page)
    resolve = page.get_by_role("button", name="Resolve")
    assignee = page.get_by_label("Assigned to")
    if role == "viewer":
        expect(resolve).to_be_disabled()
        expect(assignee).to_have_value(HIDDEN)
    else:
        expect(resolve).to_be_enabled()
        expect(assignee).to_have_value("zoe")


def test_actions_are_logged_with_the_name_in_the_token(page, guarded):
    sign_in(page, "emil")
    expect(signed_in(page, "emil", "engineer")).to_be_visible()
    page.goto(guarded.issue)
    bench.wait_until_idle(page)
    page.get_by_label("Note").fill("called the admin")
    page.get_by_role("button", name="Save").click()
    bench.wait_until_idle(page)
    entry = guarded.state.activity(guarded.issue_id)[-1]
    assert (entry.actor, entry.reason) == ("emil@example.com", "called the admin")


def test_a_forged_token_is_rejected(page):
    sign_in(page, "mallory")
    page.goto("/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.get_by_test_id("stMetric").count() == 0


def test_a_signed_out_user_has_no_access(page):
    sign_in(page, "ada")
    # The page signs out before the browser deletes its cookie, so wait for the response.
    with page.expect_response(lambda answer: "/auth/logout" in answer.url):
        page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto("/issues")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
