"""How somebody proves to Vault who they are. No secret shows in a repr, so none can reach a log that way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Password:
    """User name and password; Vault locks the user after a few wrong tries, so a refusal is final."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API access token, which takes the place of a session and belongs to one Vault."""

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
