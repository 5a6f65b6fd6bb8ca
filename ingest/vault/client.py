"""A client for Vault's REST API that relies only on documented behavior.

It reads the JSON before the HTTP status, branches on error types and never on messages, follows page addresses
unchanged, slows down at the API limit, signs in again once when a session expires, and never sends a rejected
password twice.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from ingest.errors import SignInRefused, VaultRefused, VaultUnreachable, WrongVault
from ingest.vault.credentials import ApiToken, Credentials, OAuth, Password
from ingest.vault.responses import SESSION_OVER, Reply, read_reply
from ingest.vault.retry import ATTEMPTS, Outcome, RateLimiter, call_with_retries
from ingest.vault.timestamps import parse_http_date

TESTED_VERSION = (26, 2)
"""The newest API version this client was written against; a newer one may still be a beta."""
TIMEOUTS = httpx.Timeout(60.0, connect=10.0, read=1800.0)
"""In seconds; a VQL query may run for half an hour."""

_SHOW_HIDDEN_FIELDS = {"X-VaultAPI-RecordProperties": "hidden"}
"""Without this header, a field that the user cannot see looks like an empty one."""
_log = logging.getLogger("synclens.vault")


class VaultClient:
    """A session of one user in one Vault, as a context manager; it ends the session on exit.

    `address` is the Vault's DNS name or URL. `vault_id` is the required Vault of the session (default: the Vault
    at the address). `client_id` and `reference_id` appear in Vault's usage log. `sleep` accepts seconds.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        *,
        vault_id: int | None = None,
        version: tuple[int, int] | None = None,
        client_id: str = "synclens-ingest",
        reference_id: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._origin = address.rstrip("/") if "://" in address else f"https://{address.rstrip('/')}"
        self._credentials = credentials
        self._vault_id = vault_id
        self._version = version
        self._pauses = RateLimiter(sleep)
        self._attempts = attempts
        self._session: str | None = credentials.token if isinstance(credentials, ApiToken) else None
        self.vault_time: datetime | None = None
        """The Vault's time in its last reply; None if its replies do not have it."""
        headers = {"X-VaultAPI-ClientID": client_id, "Accept": "application/json"}
        if reference_id:
            headers["X-VaultAPI-ReferenceId"] = reference_id
        self._http = httpx.Client(headers=headers, timeout=TIMEOUTS, follow_redirects=False)

    def __enter__(self) -> Self:
        self.sign_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def host(self) -> str:
        """Return the Vault's host name."""
        return urlsplit(self._origin).netloc

    @property
    def version(self) -> str:
        """Return the API version in use, such as `v26.2`."""
        if self._version is None:
            self._version = self._newest_version()
        return f"v{self._version[0]}.{self._version[1]}"

    def sign_in(self) -> None:
        """Start a session, and check that it is for the requested Vault.

        Raises SignInRefused (final), WrongVault, VaultRefused or VaultUnreachable.
        """
        match self._credentials:
            case Password(username, password):
                form = {"username": username, "password": password, "vaultDNS": self.host}
                reply = self._send("POST", self._url("/auth"), form=form, signed=False)
            case OAuth(url, access_token, client_id):
                form = {"vaultDNS": self.host} | ({"client_id": client_id} if client_id else {})
                reply = self._send("POST", url, form=form, signed=False, bearer=access_token)
            case ApiToken():
                self._check_token()
                return
        self._session = str(reply.body.get("sessionId") or "")
        self._check_vault(reply.body)
        _log.info("signed in to %s as session %s", self.host, fingerprint(self._session))

    def keep_alive(self) -> None:
        """Keep the session alive; Vault ends it after some minutes without a call."""
        self.call("POST", "/keep-alive")

    def close(self) -> None:
        """End the session, unless it is an API token, and close the connection."""
        if self._session and not isinstance(self._credentials, ApiToken):
            try:
                self._once("DELETE", self._url("/session"), None, {}, signed=True, bearer=None)
            except (VaultRefused, VaultUnreachable, SignInRefused) as error:
                _log.info("the session could not be ended: %s", error)
        self._session = None
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call the API; `path` is relative to the API version, or a page address from Vault.

        An expired session is renewed once. Raises VaultRefused, SignInRefused, WrongVault or
        VaultUnreachable.
        """
        return self._renewing(lambda: self._send(method, self._url(path), form=form, headers=headers))

    def query(self, vql: str, *, first: str | None = None) -> Iterator[Reply]:
        """Run a query and yield its pages; `first` continues at a page address of an earlier run.

        The pages list the fields that the user cannot see (`Reply.hidden_fields`).
        """
        if first is None:
            page = self.call("POST", "/query", form={"q": vql}, headers=_SHOW_HIDDEN_FIELDS)
        else:
            page = self.call("POST", first, headers=_SHOW_HIDDEN_FIELDS)
        yield page
        while following := page.details.get("next_page"):
            page = self.call("POST", str(following), headers=_SHOW_HIDDEN_FIELDS)
            yield page

    def pages(self, path: str) -> Iterator[Reply]:
        """Read a listing with GET, and yield its pages."""
        page = self.call("GET", path)
        yield page
        while following := page.details.get("next_page"):
            page = self.call("GET", str(following))
            yield page

    def download(self, path: str, to: Path) -> int:
        """Download a file to disk, and return its size in bytes. Vault reports errors as JSON instead of the file."""
        return self._renewing(
            lambda: call_with_retries(
                lambda: self._download(self._url(path), to), attempts=self._attempts, retry_doubtful=True
            )
        )

    def _download(self, url: str, to: Path) -> int:
        try:
            with self._http.stream("GET", url, headers=self._signature(None)) as response:
                if "json" in response.headers.get("Content-Type", "") or not response.is_success:
                    response.read()
                    self._read(response)
                    raise VaultUnreachable(self.host, "it answered with JSON instead of a file")
                with to.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
                self._pauses.throttle(response.headers)
        except httpx.TransportError as error:
            raise VaultUnreachable(self.host, type(error).__name__) from error
        return to.stat().st_size

    def _renewing(self, work: Callable[[], Outcome]) -> Outcome:
        try:
            return work()
        except VaultRefused as refused:
            if refused.type != SESSION_OVER or isinstance(self._credentials, ApiToken):
                raise
        self.sign_in()
        return work()

    def _newest_version(self) -> tuple[int, int]:
        try:
            listed = self._send("GET", f"{self._origin}/api/", signed=self._session is not None).body.get(
                "values"
            )
        except VaultRefused:
            listed = None
        versions = [
            pair for name in (listed if isinstance(listed, dict) else {}) if (pair := version_pair(name))
        ]
        tested = [pair for pair in versions if pair <= TESTED_VERSION]
        return max(tested) if tested else min(versions, default=TESTED_VERSION)

    def _url(self, path: str) -> str:
        if "://" in path:
            # The session id is only sent to its own Vault.
            if urlsplit(path).netloc != self.host:
                raise VaultUnreachable(
                    urlsplit(path).netloc,
                    f"the address is not at {self.host}, so the request was not sent",
                    retryable=False,
                )
            return path
        return (
            f"{self._origin}{path}"
            if path.startswith("/api/")
            else f"{self._origin}/api/{self.version}{path}"
        )

    def _send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
        bearer: str | None = None,
    ) -> Reply:
        return call_with_retries(
            lambda: self._once(method, url, form, headers or {}, signed=signed, bearer=bearer),
            attempts=self._attempts,
            retry_doubtful=signed,
        )

    def _once(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str],
        *,
        signed: bool,
        bearer: str | None,
    ) -> Reply:
        signature = self._signature(bearer) if signed or bearer else {}
        try:
            response = self._http.request(method, url, data=form, headers={**headers, **signature})
        except (httpx.TransportError, httpx.InvalidURL) as error:
            # Vault blocks a query that timed out for a day; a retry would restart that day.
            timed_out = isinstance(error, httpx.ReadTimeout) and method != "GET"
            raise VaultUnreachable(self.host, type(error).__name__, retryable=not timed_out) from error
        _log.debug(
            "%s %s: %s, call %s",
            method,
            urlsplit(url).path,
            response.status_code,
            response.headers.get("X-VaultAPI-ExecutionId"),
        )
        self._pauses.throttle(response.headers)
        return self._read(response)

    def _read(self, response: httpx.Response) -> Reply:
        # The Date of an HTML page is that of a proxy, not that of the Vault.
        if "json" in response.headers.get("Content-Type", ""):
            self.vault_time = parse_http_date(response.headers.get("Date")) or self.vault_time
        return read_reply(response)

    def _signature(self, bearer: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {bearer or self._session}"}

    def _check_vault(self, body: Mapping[str, Any]) -> None:
        actual = body.get("vaultId")
        if self._vault_id is not None:
            if str(actual) != str(self._vault_id):
                raise WrongVault(str(self._vault_id), str(actual))
            return
        vaults = body.get("vaultIds")
        listed = [each for each in vaults if isinstance(each, dict)] if isinstance(vaults, list) else []
        addresses = {str(each.get("id")): urlsplit(str(each.get("url") or "")).netloc for each in listed}
        if addresses.get(str(actual), self.host) != self.host:
            raise WrongVault(self.host, f"{actual} at {addresses[str(actual)]}")

    def _check_token(self) -> None:
        try:
            self._check_vault_header(self._send("GET", self._url("/objects/users/me")))
        except VaultRefused as refused:
            # A token is for one Vault, so a user who may not read users can still read other data.
            if self._vault_id is not None or refused.type != "INSUFFICIENT_ACCESS":
                raise

    def _check_vault_header(self, reply: Reply) -> None:
        actual = reply.headers.get("X-VaultAPI-VaultId")
        if self._vault_id is not None and actual is not None and actual != str(self._vault_id):
            raise WrongVault(str(self._vault_id), actual)


def version_pair(name: str) -> tuple[int, int] | None:
    """Parse `v26.2` as (26, 2). Versions compare as pairs of numbers: 26.10 is later than 26.2."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)", name)
    return (int(match[1]), int(match[2])) if match else None


def fingerprint(secret: str) -> str:
    """Return a short hash of a secret, for logs; the secret cannot be derived from it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]
