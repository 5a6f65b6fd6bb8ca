"""Hostile file arguments, and secrets that must not leak."""

import logging
import sys

import pytest

import ingest
from synclens import cli

SECRET = "hunter2-" + "S3cret" * 4


@pytest.fixture
def synclens(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SYNCLENS_STORE", str(tmp_path / "test.duckdb"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["synclens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        result = capsys.readouterr()
        return ended.value.code or 0, result.out + result.err

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("load", "/etc/init.d"),
        ("load", "/dev/null/x.csv"),
        ("load", "https://evil.example/x.csv"),
        ("load", "s3://bucket/x.parquet"),
        ("load", "*.csv"),
        ("issues", "--store", "/etc"),
        ("issues", "--store", "https://evil.example/store.duckdb"),
        ("issues", "--store", ":memory:"),
        ("restore", "/etc/passwd"),
        ("backup", "/nowhere/at/all.zip"),
        ("classify", "/etc/init.d"),
        ("rules", "check", "/etc/passwd"),
        ("load", "x" * 5000),
        ("load", "a\x00b.csv"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_an_invalid_file_argument_is_an_error_without_traceback(synclens, arguments):
    code, result = synclens(*arguments)
    assert code in (1, 2)
    assert "Traceback" not in result
    assert result.strip()


def test_a_store_connection_cannot_read_other_files(tmp_path):
    (tmp_path / "other.csv").write_text("a\n1\n")
    with ingest.open_store(tmp_path / "s.duckdb", read_only=False):
        pass
    with ingest.open_store(tmp_path / "s.duckdb") as store:
        for sql in (
            f"SELECT * FROM '{tmp_path}/other.csv'",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "INSTALL httpfs",
        ):
            with pytest.raises(Exception, match=r"disabled|Permission|configuration"):
                store.execute(sql)
        with pytest.raises(Exception, match="lock"):
            store.execute("SET enable_external_access = true")


def test_a_failed_pull_prints_no_secret(synclens, monkeypatch, caplog):
    monkeypatch.setenv("VAULT_USERNAME", "svc@example.com")
    monkeypatch.setenv("VAULT_PASSWORD", SECRET)
    with caplog.at_level(logging.DEBUG):
        code, result = synclens("pull", "--dns", "127.0.0.1:9")
    assert code == 2
    assert SECRET not in result + caplog.text


@pytest.mark.parametrize(
    "credentials",
    [ingest.Password("u", SECRET), ingest.ApiToken(SECRET), ingest.OAuth("https://x", SECRET, None)],
)
def test_credentials_are_not_in_repr(credentials):
    assert SECRET not in repr(credentials)
    assert SECRET not in str(credentials)
