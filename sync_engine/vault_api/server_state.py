"""The state of a server: its Vault, sign-ins, calls and result pages."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from sync_engine.hashing import short_hash
from sync_engine.json_docs import JsonDict, to_json
from sync_engine.protocol import VaultError
from sync_engine.vault.permissions import Right, allows, permission_set
from sync_engine.vault.state import Vault
from sync_engine.vault_api.catalogue import build_catalogue
from sync_engine.vault_api.fault_injection import FaultInjection
from sync_engine.vault_api.job_list import JobList
from sync_engine.vault_api.messages import Request
from sync_engine.vault_api.objects import VAULT_ID, Object

VERSIONS = tuple(f"v{year}.{release}" for year in range(22, 27) for release in (1, 2, 3))
"""Supported API versions. The last one is the Beta."""
DOMAIN, DOMAIN_ID = "example.com", 1
SERVICE_USER = "41000"
SERVICE_NAME = "integration@example.com"
KEPT_QUERIES = 100

_TABLES = """
CREATE TABLE IF NOT EXISTS rest_login (
    n INTEGER PRIMARY KEY, at REAL NOT NULL, user_name TEXT NOT NULL, status TEXT NOT NULL, client TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS rest_call (n INTEGER PRIMARY KEY, at REAL NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS rest_call_at ON rest_call (at);
"""


@dataclass(slots=True)
class StoredPages:
    """The rows of one query, stored for its further pages."""

    rows: list[JsonDict]
    object: str
    last_used: float
    pages_read: int = 0


@dataclass(slots=True, kw_only=True)
class ServerState:
    """One served Vault. `salt` makes session ids unguessable; `link_form` is the form of page URLs.

    `refused` are the names of objects (`account__v`), audit trails, fields (`account__v.npi__v`, which metadata still
    lists) and beginnings of paths (`/objects/picklists`) that no user may read.
    """

    vault: Vault
    salt: str
    faults: FaultInjection = field(default_factory=FaultInjection)
    link_form: str = "versioned"  # full, versioned, bare, mixed
    part_bytes: int = 1 << 30
    refused: frozenset[str] = frozenset()
    queries: OrderedDict[str, StoredPages] = field(default_factory=OrderedDict)
    calls: int = 0
    session_calls: dict[str, int] = field(default_factory=dict)
    jobs: JobList = field(default_factory=JobList)
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # Direct Data: rows and bytes by name

    def __post_init__(self) -> None:
        self.vault.db.executescript(_TABLES)

    def add_service_user(self, password: str) -> None:
        """Create the administrator account for API clients, or set its password."""
        user = {
            "id": SERVICE_USER, "name": "Integration User", "email": SERVICE_NAME, "active": True, "locked": False,
            "password": password, "password_expired": False, "permission_set": "integration__c",
            "security_profile": "system_admin__v", "application_profile": None, "territories": [], "country": "US",
            "time_zone": "UTC", "language": "en", "admin": True,
        }  # fmt: skip
        with self.vault.transaction():
            if "integration__c" not in self.vault.live.get("permission_set", {}):
                self.vault.configure("permission_set", "integration__c", permission_set("integration__c"))
            self.vault.configure("user", SERVICE_USER, user)

    def add_token(self, token: str, user_id: str = SERVICE_USER) -> None:
        """Register an API access token for a user. Only the hash of the token is stored."""
        with self.vault.transaction():
            self.vault.configure("api_token", hash_token(token), {"user": user_id})

    def list_objects(self, user: JsonDict) -> dict[str, Object]:
        """Return the objects that this user may read, by name."""
        objects = build_catalogue(self.vault, user)
        for name, _, field_name in (text.partition(".") for text in self.refused):
            fields = objects[name].fields if name in objects else {}
            if field_name in fields:
                fields[field_name] = replace(fields[field_name], queryable=False)
        return objects

    def require_access(self, *names: str) -> None:
        """Check that no name is refused, nor any path. Raises VaultError with INSUFFICIENT_ACCESS."""
        for name in names:
            if name in self.refused or any(
                text.startswith("/") and name.startswith(text) for text in self.refused
            ):
                raise VaultError("INSUFFICIENT_ACCESS", f"User does not have permission to read [{name}]")

    def object_rights(self, user: JsonDict, source: Object) -> dict[str, bool]:
        """Return what this user may do with records of an object: read, edit, create, delete."""
        rights: tuple[Right, ...] = ("read", "edit", "create", "delete")
        return {right: allows(self.vault, user, source.name, right) for right in rights}

    def last_login(self, user: JsonDict) -> float | None:
        """Return the time of the user's last sign-in in seconds, over the API or from a device. None if never."""
        row = self.vault.db.execute(
            "SELECT max(at) FROM (SELECT at FROM rest_login WHERE user_name = ? AND status = 'Success' "
            "UNION ALL SELECT created FROM session WHERE user = ?)",
            (user["email"], user["id"]),
        ).fetchone()
        return None if row[0] is None else float(row[0])

    @property
    def vault_id(self) -> int:
        """Return the Vault id for which sessions are opened."""
        return VAULT_ID + 1 if self.faults.setting("other-vault") else VAULT_ID

    def next_execution_id(self) -> str:
        """Return the execution id of the next call, formatted like a UUID."""
        self.calls += 1
        text = short_hash("call", self.salt, self.calls, size=16)
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def store_pages(self, key: str, pages: StoredPages) -> None:
        """Store the rows of a query for its further pages. The oldest queries are dropped."""
        self.queries[key] = pages
        while len(self.queries) > KEPT_QUERIES:
            self.queries.popitem(last=False)

    def log_call(self, at: float, doc: JsonDict) -> None:
        """Add an entry to the usage log."""
        self.vault.db.execute("INSERT INTO rest_call (at, doc) VALUES (?, ?)", (at, to_json(doc)))

    def remaining_burst_calls(self, now: float, limit: int) -> int:
        """Return the remaining calls in the five-minute window that contains `now`."""
        start = now // 300 * 300
        row = self.vault.db.execute("SELECT count(*) FROM rest_call WHERE at >= ?", (start,)).fetchone()
        return max(0, limit - int(row[0]) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One authenticated API call. `args` are the named parts of the path."""

    server: ServerState
    request: Request
    now: float
    version: str
    user: JsonDict
    session: str
    execution_id: str
    args: JsonDict

    @property
    def vault(self) -> Vault:
        """Return the Vault of the server."""
        return self.server.vault

    def list_objects(self) -> dict[str, Object]:
        """Return the objects that the caller may read, by name."""
        return self.server.list_objects(self.user)

    def url(self, path: str) -> str:
        """Return the path with the API version of this call, as used in links."""
        return f"/api/{self.version}{path}"


def hash_token(token: str) -> str:
    """Return the hash under which a token is stored."""
    return short_hash("token", token, size=32)
