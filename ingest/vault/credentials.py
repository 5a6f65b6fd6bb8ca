"""Credentials for a Vault. No secret is part of a repr, so that none ends up in a log."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Password:
    """User name and password. Vault locks a user after a few wrong passwords, so there are no retries."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API access token for one Vault, used instead of a session."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuth:
    """An access token of an identity provider, exchanged for a Vault session at `session_url`.

    For Vault itself that is `https://login.veevavault.com/auth/oauth/session/{profile id}`.
    """

    session_url: str
    access_token: str = field(repr=False)
    client_id: str | None = None


Credentials = Password | ApiToken | OAuth
