"""A small local Vault with one injected fault at a time, and a client that is signed in to it."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import stamina

from ingest import Password, VaultClient, pull

SECRET = "correct horse battery"
START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def stamp(minutes):
    return (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def row(number):
    return {
        "id": f"V5X{number:03}",
        "sync_type__v": ["incremental_sync__v"],
        "successful_sync__v": True,
        "sync_start_datetime__v": stamp(number),
        "modified_date__v": stamp(number),
        "rating__c": "high",
    }


FIELDS = [
    {"name": "id", "type": "ID", "label": "ID"},
    {"name": "sync_type__v", "type": "Picklist", "picklist": "sync_type__v", "status": ["active__v"]},
    {"name": "successful_sync__v", "type": "Boolean"},
    {"name": "sync_start_datetime__v", "type": "DateTime"},
    {"name": "modified_date__v", "type": "DateTime"},
    {"name": "rating__c", "type": "String"},
    {"name": "old__c", "type": "String", "status": ["inactive__v"]},
]


class SmallVault(ThreadingHTTPServer):
    """Serves rows in pages; `trouble` is a list of faults, each injected once at the first matching call."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.deleted, self.fields, self.undated = [], FIELDS, False
        self.rows = [row(number) for number in range(25)]
        self.trouble, self.calls, self.logins, self.page_size, self.vault_id = [], [], 0, 10, 7
        self.files, self.parts, self.deleted_total = [], {}, None
        self.session, self.page_form, self.headers_to_send = None, "/api/v26.2{}", {}
        self.date = None  # the time in the Date header of a reply
        self.refused, self.hidden, self.text_key = (
            {},
            [],
            "{field}",
        )  # fields, by their refusal; in all rows; keys
        self.trail, self.refused_paths, self.columns = [], {}, []
        self.after_loss = lambda: None  # called when a page is lost

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def happens(self, what):
        if what in self.trouble:
            self.trouble.remove(what)
            return True
        return False


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer()

    do_POST = do_DELETE = do_GET

    def log_message(self, *args):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        url = urlsplit(self.path)
        self.server.calls.append((self.command, self.path, form, dict(self.headers)))
        if url.path == "/api/":
            return self.send({"responseStatus": "SUCCESS", "values": {"v9.0": "", "v26.2": "", "v26.10": ""}})
        path = url.path.removeprefix("/api/v26.2")
        if self.server.happens("proxy"):
            return self.send_text(502, "<html>Bad gateway</html>")
        if path == "/auth" or path.startswith("/auth/oauth"):
            return self.log_in(path, form)
        if self.headers.get("Authorization") not in (
            f"Bearer {self.server.session}",
            "Bearer veeva-vault-token",
        ):
            return self.refuse("INVALID_SESSION_ID")
        if path.startswith("/query") and self.server.happens("expire"):
            self.server.session = None
            return self.send({"responseStatus": "FAILURE", "errorType": "INVALID_SESSION_ID"})
        return self.data(path, form, parse_qs(url.query))

    def log_in(self, path, form):
        self.server.logins += 1
        if path == "/auth" and form.get("password") != SECRET:
            return self.refuse("USERNAME_OR_PASSWORD_INCORRECT", errorType="AUTHENTICATION_FAILED")
        self.server.session = f"session{self.server.logins}"
        vaults = [
            {"id": 7, "url": f"{self.server.url}/api"},
            {"id": 8, "url": "https://other.example.com/api"},
        ]
        return self.send(
            {
                "responseStatus": "SUCCESS",
                "sessionId": self.server.session,
                "vaultIds": vaults,
                "vaultId": self.server.vault_id,
            }
        )

    def data(self, path, form, parameters):
        for prefix, kind in self.server.refused_paths.items():
            if path.startswith(prefix):
                return self.refuse(kind)
        if path == "/metadata/vobjects/sync_tracking__v":
            return self.send(
                {
                    "responseStatus": "SUCCESS",
                    "object": {"name": "sync_tracking__v", "fields": self.server.fields},
                }
            )
        if path.startswith("/objects/picklists/"):
            values = [{"name": "incremental_sync__v", "label": "Incremental Sync"}]
            return self.send({"responseStatus": "SUCCESS", "picklistValues": values})
        if path == "/objects/deletions/vobjects/sync_tracking__v":
            return self.deletions(int(parameters["offset"][0]), int(parameters["limit"][0]))
        if path == "/services/directdata/files":
            return self.send({"responseStatus": "SUCCESS", "data": self.server.files})
        if path.startswith("/services/directdata/files/"):
            return self.send_text(
                200, self.server.parts[path.rsplit("/", 1)[1]].decode(), "application/octet-stream"
            )
        if path.startswith("/audittrail/") and self.server.date is not None:
            return self.trail_page(parameters)
        if path.startswith("/query"):
            if "q" in form and (refusal := self.read_columns(form["q"])):
                return self.refuse(*refusal)
            return self.page(form, int(parameters.get("pageoffset", ["0"])[0]))
        if path in ("/session", "/keep-alive", "/objects/users/me"):
            return self.send({"responseStatus": "SUCCESS"})
        return self.refuse("MALFORMED_URL", code=404)

    def deletions(self, offset, limit):
        data = self.server.deleted[offset : offset + limit]
        total = self.server.deleted_total
        details = {"offset": offset, "limit": limit, "size": len(data)}
        details |= {} if total is None else {"total": total}
        return self.send({"responseStatus": "SUCCESS", "responseDetails": details, "data": data})

    def page(self, form, offset):
        if offset and self.server.happens("page lost"):
            self.server.after_loss()
            return self.refuse("INVALID_DATA")
        if offset and self.server.happens("server down"):
            return self.refuse("UNEXPECTED_ERROR", status="EXCEPTION")
        since = form.get("q", "").partition("modified_date__v > '")[2][:24]
        if "modified_date__v >= '" in form.get("q", "") and not form["q"].endswith("PAGESIZE 1"):
            self.server.asked_since = ""
            offset += [each["modified_date__v"] for each in self.server.rows].index(
                form["q"].partition("modified_date__v >= '")[2][:24]
            ) + int(form["q"].partition("PAGEOFFSET ")[2] or 0)
        if since:
            self.server.asked_since = since
        matches = [
            each
            for each in self.server.rows
            if self.server.undated or each["modified_date__v"] > getattr(self.server, "asked_since", "")
        ]
        size = 3 if self.server.happens("shrink") else self.server.page_size
        rows = matches[offset : offset + size]
        details = {"pagesize": size, "pageoffset": offset, "size": len(rows), "total": len(matches)}
        if self.server.happens("empty page"):
            rows, details = [], details | {"size": 0, "next_page": "/api/v26.2/query/abc?pageoffset=0"}
        elif offset + size < len(matches) and not (offset and self.server.happens("stop early")):
            details["next_page"] = self.server.page_form.format(
                f"/query/abc?pagesize={size}&pageoffset={offset + size}"
            )
        hidden = {"field_properties": {"hidden": self.server.hidden}}
        body = {
            "data": [self.selected_cells(each) for each in rows],
            "record_properties": [hidden] * len(rows),
        }
        return self.send({"responseStatus": "SUCCESS", "responseDetails": details, **body})

    def read_columns(self, vql):
        """Store the selected columns, and return the refusal of one of them, if any."""
        selected, _, conditions = vql.removeprefix("SELECT ").partition(" FROM ")
        columns = [re.fullmatch(r"(?:(\w+)\()?(\w+)\)?", each).groups() for each in selected.split(", ")]
        self.server.columns = columns
        named = [name for _, name in columns] + re.findall(r"\w+__[vc]", conditions.partition("WHERE")[2])
        return next((self.server.refused[name] for name in named if name in self.server.refused), None)

    def selected_cells(self, row):
        """Return the selected columns of a row; Vault cuts a text without the function of its type."""
        if not isinstance(row, dict):
            return row
        whole = {"LongText": "LONGTEXT", "RichText": "RICHTEXT"}
        types = {each["name"]: each["type"] for each in self.server.fields}
        cells = {}
        for function, name in self.server.columns:
            value, needed = row.get(name), whole.get(types.get(name))
            cut = needed != function and needed is not None and isinstance(value, str)
            key = self.server.text_key.format(field=name, function=function) if function else name
            cells[key] = value[:250] if cut else value
        return cells

    def trail_page(self, parameters):
        start, end = (datetime.fromisoformat(parameters[name][0]) for name in ("start_date", "end_date"))
        if start < self.server.date - timedelta(days=30):
            return self.refuse("INVALID_DATA")
        rows = [row for row in self.server.trail if start <= datetime.fromisoformat(row["timestamp"]) <= end]
        details = {"offset": 0, "limit": 1000, "size": len(rows), "total": len(rows)}
        return self.send({"responseStatus": "SUCCESS", "responseDetails": details, "data": rows})

    def refuse(self, kind, message="no", *, code=200, status="FAILURE", **more):
        return self.send(
            {"responseStatus": status, "errors": [{"type": kind, "message": message}], **more}, code
        )

    def send(self, body, code=200):
        self.send_text(code, json.dumps(body), "application/json")

    def send_text(self, code, text, kind="text/html"):
        self.send_response_only(code)
        if self.server.date is not None:
            self.send_header("Date", format_datetime(self.server.date, usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        for name, value in self.server.headers_to_send.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def vault():
    with SmallVault() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def without_waiting():
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
def naps():
    return []


@pytest.fixture
def client(vault, naps):
    with VaultClient(vault.url, Password("svc", SECRET), sleep=naps.append, reference_id="run-1") as client:
        yield client


@pytest.fixture
def small_vault():
    """The content of the small Vault, for tests that change it."""
    return SimpleNamespace(secret=SECRET, start=START, fields=FIELDS, row=row, stamp=stamp)


@pytest.fixture
def ids(store):
    """Ask the store for the ids of all syncs."""
    return lambda: [
        each for (each,) in store.execute("SELECT id FROM sync_tracking__v ORDER BY id").fetchall()
    ]


@pytest.fixture
def pulled(client):
    """Pull the syncs into a store, at a time."""

    def pull_syncs(store, at=START, **more):
        return pull(store, client, objects=["sync_tracking__v"], trails=[], clock=lambda: at, **more)

    return pull_syncs
