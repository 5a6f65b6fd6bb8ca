"""File arguments that try something, and secrets that must not leak."""

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
        said = capsys.readouterr()
        return ended.value.code or 0, said.out + said.err

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("load", "/etc"),
        ("load", "/dev/null/x.csv"),
        ("load", "https://evil.example/x.csv"),
        ("load", "s3://bucket/x.parquet"),
        ("load", "*.csv"),
        ("issues", "--store", "/etc"),
        ("issues", "--store", "https://evil.example/store.duckdb"),
        ("issues", "--store", ":memory:"),
        ("restore", "/etc/passwd"),
        ("backup", "/nowhere/at/all.zip"),
        ("classify", "/etc"),
        ("rules", "check", "/etc/passwd"),
        ("load", "x" * 5000),
        ("load", "a\x00b.csv"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_a_file_argument_that_makes_no_sense_is_a_clear_answer(synclens, arguments):
    code, said = synclens(*arguments)
    assert code in (1, 2)
    assert "Traceback" not in said
    assert said.strip()


def test_a_store_cannot_be_talked_into_reading_other_files(tmp_path):
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


def test_a_failing_pull_tells_no_secret(synclens, monkeypatch, caplog):
    monkeypatch.setenv("VAULT_USERNAME", "svc@example.com")
    monkeypatch.setenv("VAULT_PASSWORD", SECRET)
    with caplog.at_level(logging.DEBUG):
        code, said = synclens("pull", "--dns", "127.0.0.1:9")
    assert code == 2
    assert SECRET not in said + caplog.text


@pytest.mark.parametrize(
    "credentials",
    [ingest.Password("u", SECRET), ingest.ApiToken(SECRET), ingest.OAuth("https://x", SECRET, None)],
)
def test_credentials_do_not_show_themselves(credentials):
    assert SECRET not in repr(credentials)
    assert SECRET not in str(credentials)
