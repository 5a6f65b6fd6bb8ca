"""`synclens backup`, `restore` and `doctor`."""

import io
import json
import os
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

import analysis
import ingest
from sync_engine.telemetry import SyncTracking
from synclens.backup import BackupError, create_backup, restore_backup
from synclens.doctor import run_checks

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def clock():
    return NOON


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "fleet.duckdb"
    row = SyncTracking(id="V1", sync_start_datetime__v=NOON, successful_sync__v=True)
    with ingest.open_store(path, read_only=False) as opened:
        ingest.append(opened, [row], source="test", started_at=NOON, clock=clock)
    analysis.TriageState.for_store(path).add_note("an-issue", "call the rep", actor="ana", at=NOON)
    return path


def ids(path):
    with ingest.open_store(path) as opened:
        return opened.execute("SELECT id FROM sync_tracking__v").fetchall()


def _with_other_store(data):
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"other" if name == "store.duckdb" else old.read(name))
    return changed.getvalue()


def _without_manifest(data):
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w") as new:
        new.writestr("store.duckdb", old.read("store.duckdb"))
    return changed.getvalue()


class TestBackup:
    def test_restores_the_store_and_its_triage_state(self, store, tmp_path):
        create_backup(store, tmp_path / "monday.zip", clock=clock)
        restored = tmp_path / "elsewhere" / "restored.duckdb"
        restored.parent.mkdir()
        restore_backup(tmp_path / "monday.zip", restored)
        assert ids(restored) == [("V1",)]
        noted = analysis.TriageState.for_store(restored).activity("an-issue")
        assert [activity.reason for activity in noted] == [
            activity.reason for activity in analysis.TriageState.for_store(store).activity("an-issue")
        ]

    def test_overwrites_only_if_requested(self, store, tmp_path):
        backup = tmp_path / "monday.zip"
        create_backup(store, backup, clock=clock)
        with pytest.raises(BackupError, match="already exists"):
            create_backup(store, backup, clock=clock)
        with pytest.raises(BackupError, match="overwritten"):
            restore_backup(backup, store)
        restore_backup(backup, store, overwrite=True)
        assert ids(store) == [("V1",)]

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: data[: len(data) // 2],
            lambda data: b"",
            lambda data: b"not a zip at all",
            _with_other_store,
            _without_manifest,
        ],
        ids=["cut", "empty", "text", "changed", "no manifest"],
    )
    def test_a_damaged_backup_replaces_nothing(self, store, tmp_path, spoil):
        backup = tmp_path / "monday.zip"
        create_backup(store, backup, clock=clock)
        backup.write_bytes(spoil(backup.read_bytes()))
        with pytest.raises(BackupError) as refused:
            restore_backup(backup, store, overwrite=True)
        assert refused.value.next_step
        assert ids(store) == [("V1",)]

    def test_an_untrusted_archive_writes_nothing(self, store, tmp_path):
        backup = tmp_path / "evil.zip"
        with zipfile.ZipFile(backup, "w") as archive:
            archive.writestr("manifest.json", json.dumps({"sha256": {"../evil": "", "/tmp/evil": ""}}))
            archive.writestr("../evil", "gotcha")
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(BackupError):
            restore_backup(backup, store, overwrite=True)
        assert sorted(tmp_path.rglob("*")) == before


class TestDoctor:
    def failed_checks(self, path, **environment):
        return {check.name: check for check in run_checks(path, environment=environment) if not check.ok}

    def test_a_good_installation_passes(self, store):
        assert not self.failed_checks(store)

    def test_a_file_that_is_not_a_store_fails(self, tmp_path):
        broken = tmp_path / "broken.duckdb"
        broken.write_bytes(os.urandom(4096))
        assert "restore" in self.failed_checks(broken)["store"].next_step

    def test_a_newer_store_fails(self, store):
        with ingest.open_store(store, read_only=False) as opened:
            opened.execute("INSERT INTO migration VALUES ('9999_later.sql', now()::TIMESTAMP)")
        assert "Upgrade" in self.failed_checks(store)["store"].next_step

    def test_a_missing_folder_fails(self, tmp_path):
        assert "mkdir" in self.failed_checks(tmp_path / "nowhere" / "x.duckdb")["folder"].next_step

    def test_a_nearly_full_disk_fails(self, store):
        os.truncate(store, shutil.disk_usage(store).free * 2)  # a sparse file uses no disk space
        assert "Free some space" in self.failed_checks(store)["disk"].next_step

    def test_an_unreachable_vault_fails(self, store):
        def refuse(url):
            raise httpx.ConnectError("no route")

        def answer(url):
            return httpx.Response(200, json={"values": {}})

        def vault(get):
            checks = run_checks(store, environment={"VAULT_DNS": "crm.example.com"}, get=get)
            return next(check for check in checks if check.name == "Vault")

        assert not vault(refuse).ok
        assert "VAULT_DNS" in vault(refuse).next_step
        assert vault(answer).ok


def test_backup_restore_and_doctor_commands(store, tmp_path, monkeypatch, capsys):
    from synclens import cli

    for arguments in (
        ["backup", tmp_path / "b.zip", "--store", store],
        ["restore", tmp_path / "b.zip", "--store", tmp_path / "again.duckdb"],
        ["doctor", "--store", tmp_path / "again.duckdb"],
    ):
        monkeypatch.setattr("sys.argv", ["synclens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code, capsys.readouterr().err
    assert Path(tmp_path / "again.duckdb").exists()
