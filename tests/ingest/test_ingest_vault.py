"""The client and the pull, over real HTTP, against a small Vault that misbehaves in one way at a time."""

import hashlib
import json
import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import stamina

from ingest import (
    ApiToken,
    OAuth,
    PartDamaged,
    Password,
    PullIncomplete,
    SignInRefused,
    VaultClient,
    VaultRefused,
    VaultUnreachable,
    WrongVault,
    direct_data_applied,
    direct_data_reached,
    fetch_direct_data,
    pull,
)
from ingest.vault.client import version_pair

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
    """Serves rows in pages; `trouble` is a list of misbehaviours, each happening once where it fits."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.deleted, self.fields, self.undated = [], FIELDS, False
        self.rows = [row(number) for number in range(25)]
        self.trouble, self.calls, self.logins, self.page_size, self.vault_id = [], [], 0, 10, 7
        self.session, self.page_form, self.headers_to_send = None, "/api/v26.2{}", {}

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

    def log_message(self, *told):
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

    def data(self, path, form, asked):
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
            return self.send({"responseStatus": "SUCCESS", "data": self.server.deleted})
        if path == "/services/directdata/files":
            return self.send({"responseStatus": "SUCCESS", "data": self.server.files})
        if path.startswith("/services/directdata/files/"):
            return self.send_text(200, PARTS[path.rsplit("/", 1)[1]].decode(), "application/octet-stream")
        if path.startswith("/query"):
            return self.page(form, int(asked.get("pageoffset", ["0"])[0]))
        if path in ("/session", "/keep-alive", "/objects/users/me"):
            return self.send({"responseStatus": "SUCCESS"})
        return self.refuse("MALFORMED_URL", code=404)

    def page(self, form, offset):
        if offset and self.server.happens("page lost"):
            return self.refuse("INVALID_DATA")
        if offset and self.server.happens("server down"):
            return self.refuse("UNEXPECTED_ERROR", status="EXCEPTION")
        since = form.get("q", "").partition("modified_date__v > '")[2][:24]
        if "modified_date__v >= '" in form.get("q", ""):
            self.server.asked_since = ""
            offset += [each["modified_date__v"] for each in self.server.rows].index(
                form["q"].partition("modified_date__v >= '")[2][:24]
            ) + int(form["q"].partition("PAGEOFFSET ")[2] or 0)
        if since:
            self.server.asked_since = since
        found = [
            each
            for each in self.server.rows
            if self.server.undated or each["modified_date__v"] > getattr(self.server, "asked_since", "")
        ]
        size = 3 if self.server.happens("shrink") else self.server.page_size
        rows = found[offset : offset + size]
        details = {"pagesize": size, "pageoffset": offset, "size": len(rows), "total": len(found)}
        if offset + size < len(found) and not (offset and self.server.happens("stop early")):
            details["next_page"] = self.server.page_form.format(
                f"/query/abc?pagesize={size}&pageoffset={offset + size}"
            )
        return self.send({"responseStatus": "SUCCESS", "responseDetails": details, "data": rows})

    def refuse(self, kind, *, code=200, status="FAILURE", **more):
        return self.send(
            {"responseStatus": status, "errors": [{"type": kind, "message": "no"}], **more}, code
        )

    def send(self, body, code=200):
        self.send_text(code, json.dumps(body), "application/json")

    def send_text(self, code, text, kind="text/html"):
        self.send_response(code)
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


def ids(store):
    return [each for (each,) in store.execute("SELECT id FROM sync_tracking__v ORDER BY id").fetchall()]


def pulled(store, client, at=START, **more):
    return pull(store, client, objects=["sync_tracking__v"], trails=[], clock=lambda: at, **more)


def test_a_pull_takes_every_page_and_says_what_it_missed(store, client, vault):
    reports = pulled(store, client)
    assert ids(store) == [each["id"] for each in vault.rows]
    assert sum(report.rows_new for report in reports if report.kind == "sync_tracking__v") == 25
    notes = [note for report in reports for note in report.notes]
    assert "this Vault shows no field version__v" in notes
    assert store.execute("SELECT DISTINCT extra FROM sync_tracking__v").fetchall() == [
        ('{"rating__c":"high"}',)
    ]
    assert store.execute("SELECT label FROM picklist_value").fetchall() == [("Incremental Sync",)]


@pytest.mark.parametrize("form", ["/api/v26.2{}", "{}", "full"])
def test_page_addresses_come_in_any_form(store, client, vault, form):
    vault.page_form = vault.url + "/api/v26.2{}" if form == "full" else form
    pulled(store, client)
    assert len(ids(store)) == 25


@pytest.mark.parametrize(
    "trouble", [["expire"], ["proxy"], ["shrink"], ["server down"], ["expire", "shrink", "proxy"]]
)
def test_no_trouble_that_passes_costs_a_row(store, client, vault, trouble):
    vault.trouble = list(trouble)
    pulled(store, client)
    assert len(ids(store)) == 25
    assert vault.trouble == []


def test_the_next_pull_asks_only_for_what_changed_and_an_overlap(store, client, vault):
    pulled(store, client)
    vault.rows.append(row(30))
    reports = pulled(store, client)
    assert vault.asked_since == stamp(24 - 15)
    assert (sum(r.rows_new for r in reports), sum(r.rows_unchanged for r in reports)) == (1, 15)


def test_what_vault_deleted_goes_and_stays_away(store, client, vault):
    vault.deleted = [{"id": "V5X003", "date_deleted": stamp(60)}]
    pulled(store, client)
    assert len(ids(store)) == 24
    vault.deleted = []
    pulled(store, client)
    assert "V5X003" not in ids(store)


def test_a_pull_that_was_cut_off_goes_on_where_it_stopped(store, client, vault):
    vault.rows = vault.rows[:25]
    vault.trouble = ["stop early"]
    with pytest.raises(PullIncomplete):
        pulled(store, client)
    assert len(ids(store)) == 20
    pulled(store, client)
    assert len(ids(store)) == 25


def test_a_page_address_that_died_is_no_end(store, client, vault):
    vault.trouble = ["page lost", "page lost"]
    pulled(store, client)
    assert len(ids(store)) == 25
    assert vault.trouble == []


def test_what_the_vault_does_not_have_is_said_and_the_pull_goes_on(store, client):
    reports = pull(store, client, objects=["user__sys", "sync_tracking__v"], trails=["login_audit_trail"])
    assert len(ids(store)) == 25
    assert sum("MALFORMED_URL" in note for report in reports for note in report.notes) == 2


def test_a_wrong_password_is_tried_once(vault, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(SignInRefused):
        VaultClient(vault.url, Password("svc", "wrong-secret")).sign_in()
    assert vault.logins == 1
    assert "wrong-secret" not in caplog.text


def test_no_secret_reaches_a_log_or_a_repr(vault, caplog):
    with caplog.at_level(logging.DEBUG), VaultClient(vault.url, Password("svc", SECRET)) as client:
        client.keep_alive()
    assert "session1" not in caplog.text
    assert SECRET not in caplog.text + repr(Password("svc", SECRET)) + repr(ApiToken(SECRET)) + repr(
        OAuth("u", SECRET)
    )


def test_a_session_for_another_vault_is_refused(vault):
    vault.vault_id = 8
    with pytest.raises(WrongVault):
        VaultClient(vault.url, Password("svc", SECRET)).sign_in()
    with pytest.raises(WrongVault):
        VaultClient(vault.url, Password("svc", SECRET), vault_id=7).sign_in()


def test_a_token_needs_no_login_and_oauth_gets_a_session(vault):
    with VaultClient(vault.url, ApiToken("veeva-vault-token")) as client:
        client.keep_alive()
    assert vault.logins == 0
    with VaultClient(vault.url, OAuth(f"{vault.url}/auth/oauth/session/p1", "idp-token")) as client:
        client.keep_alive()
    assert vault.logins == 1


def test_the_session_goes_to_no_other_host(client, vault):
    vault.page_form = "https://evil.example.com/api/v26.2{}"
    with pytest.raises(VaultUnreachable, match=r"evil\.example\.com"):
        list(client.query("SELECT id FROM sync_tracking__v"))


def test_every_call_names_us_and_the_newest_version_we_know_is_used(client, vault):
    client.keep_alive()
    _, path, _, headers = vault.calls[-1]
    assert path == "/api/v26.2/keep-alive"
    assert (headers["X-VaultAPI-ClientID"], headers["X-VaultAPI-ReferenceId"]) == ("synclens-ingest", "run-1")
    assert version_pair("v26.10") > version_pair("v26.2") > version_pair("v9.0")


@pytest.mark.parametrize(
    "header", [{"X-VaultAPI-BurstLimitRemaining": "3"}, {"X-VaultAPI-ResponseDelay": "500"}]
)
def test_we_slow_down_when_vault_does(client, vault, naps, header):
    vault.headers_to_send = header
    client.keep_alive()
    assert naps


def test_a_vault_that_stays_down_is_given_up_with_advice(vault, client):
    vault.trouble = ["proxy"] * 50
    with pytest.raises(VaultUnreachable) as down:
        client.keep_alive()
    assert "proxy" in str(down.value)
    assert len(vault.trouble) == 45


def test_a_refusal_carries_vaults_own_word(client):
    with pytest.raises(VaultRefused) as refused:
        client.call("GET", "/nonsense")
    assert (refused.value.type, refused.value.http_status, refused.value.retryable) == (
        "MALFORMED_URL",
        404,
        False,
    )


PARTS = {
    "90210-20261122-0615-N.001": b"first",
    "90210-20261122-0630-N.001": b"second",
    "90210-20261122-0630-N.002": b"2b",
}


def part(name, content, **wrong):
    stem, number = name.rsplit(".", 1)
    told = {
        "name": name,
        "filename": f"{stem}.tar.gz.{number}",
        "filepart": int(number),
        "size": len(content),
    }
    return told | {"md5checksum": hashlib.md5(content).hexdigest()} | wrong


def listing(*parts, start="2026-11-22T06:00Z", stop="2026-11-22T06:15Z", **more):
    name = parts[0]["name"].rsplit(".", 1)[0] if parts else "90210-20261122-0645-N"
    times = {"start_time": start, "stop_time": stop, "record_count": 3}
    return {"name": name, **times, "filepart_details": list(parts), **more}


@pytest.fixture
def published(vault):
    first, second, third = (part(name, content) for name, content in PARTS.items())
    vault.files = [
        listing(third, second, start="2026-11-22T06:15Z", stop="2026-11-22T06:30:00Z"),
        listing(first),
        {
            "name": "90210-20261122-0645-N",
            "error": {"message": "Failed to publish", "next_retry": "2026-11-22T07:00Z"},
        },
    ]
    return vault


def test_direct_data_comes_whole_checked_and_in_order(published, client, tmp_path):
    fetched = fetch_direct_data(client, tmp_path)
    assert [path.name for path in fetched.paths] == [
        "90210-20261122-0615-N.tar.gz.001",
        "90210-20261122-0630-N.tar.gz.001",
    ]
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == sorted(PARTS.values())
    assert fetched.reached_at == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    assert any("Failed to publish" in note for note in fetched.notes)


def test_a_part_that_is_there_is_not_fetched_again(published, client, tmp_path):
    fetch_direct_data(client, tmp_path)
    before = len(published.calls)
    fetch_direct_data(client, tmp_path)
    assert len(published.calls) == before + 1


def test_a_part_that_arrives_damaged_is_fetched_once_more_and_then_refused(published, client, tmp_path):
    published.files[1]["filepart_details"][0]["md5checksum"] = "0" * 32
    with pytest.raises(PartDamaged):
        fetch_direct_data(client, tmp_path)
    assert not (tmp_path / "90210-20261122-0615-N.tar.gz.001").exists()


def test_a_gap_between_files_is_told(published, client, tmp_path):
    del published.files[1]
    fetched = fetch_direct_data(client, tmp_path, since=datetime(2026, 11, 22, 6, tzinfo=UTC))
    assert any(
        note.startswith("nothing covers 2026-11-22T06:00Z to 2026-11-22T06:15Z") for note in fetched.notes
    )


def test_what_is_still_to_be_published_keeps_the_later_from_counting_as_applied(published, client, tmp_path):
    published.files[1] = {"name": "90210-20261122-0615-N", "error": {"message": "Failed to publish"}}
    assert fetch_direct_data(client, tmp_path).reached_at is None


def test_increments_go_on_after_the_last_applied_file_or_a_full_one(store):
    first, later = START, START + timedelta(hours=1)
    assert direct_data_reached(store, "v", "incremental_directdata") is None
    direct_data_applied(store, "v", "incremental_directdata", first)
    direct_data_applied(store, "v", "full_directdata", later)
    assert direct_data_reached(store, "v", "incremental_directdata") == later
    assert direct_data_reached(store, "v", "log_directdata") is None


def test_the_store_is_free_while_a_call_is_under_way(vault, client, tmp_path):
    path, seen = tmp_path / "store.duckdb", []

    def read(*_):
        # another process: DuckDB lets one process read and write side by side
        look = "read_only=True).sql('FROM watermark').fetchall()"
        script = f"import duckdb; print(duckdb.connect({str(path)!r}, {look})"
        seen.append(
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        )

    pulled(path, client, on_progress=read)
    assert len(seen) == 3
    assert "/query/abc" in seen[0]
    assert "/query/abc" not in seen[-1]


def test_a_changed_and_a_lost_field_are_told_as_changes(store, client, vault):
    pulled(store, client)
    vault.fields = [each | {"required": True} if each["name"] == "rating__c" else each for each in FIELDS]
    vault.fields = [each for each in vault.fields if each["name"] != "successful_sync__v"]
    pulled(store, client, at=START + timedelta(days=1))
    again = pulled(store, client, at=START + timedelta(days=2))
    told = store.execute("SELECT field, before, after FROM config_change ORDER BY field").fetchall()
    assert told == [
        ("rating__c", '{"required":null}', '{"required":true}'),
        ("successful_sync__v", '{"active":true}', '{"active":false}'),
    ]
    assert not [report for report in again if report.kind == "object_field"]


def test_rows_without_a_time_of_change_keep_their_place_too(store, client, vault):
    vault.fields = [each for each in FIELDS if each["name"] != "modified_date__v"]
    vault.rows = [{**each, "modified_date__v": None} for each in vault.rows]
    vault.undated, vault.trouble = True, ["stop early"]
    with pytest.raises(PullIncomplete):
        pulled(store, client)
    pulled(store, client)
    assert len(ids(store)) == 25


def test_a_file_name_from_outside_stays_inside_the_folder(published, client, tmp_path):
    published.files[1]["filepart_details"][0]["filename"] = "../../../outside"
    folder = tmp_path / "folder"
    folder.mkdir()
    assert {path.parent for path in fetch_direct_data(client, folder).paths} == {folder}
