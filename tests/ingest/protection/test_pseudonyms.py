import stat

import pytest

from ingest import load
from ingest.protection.keys import read_or_create_key
from ingest.protection.pseudonyms import Pseudonymizer

USERS = (
    "id,modified_date__v,name__v,username__sys,status__v\n"
    "41300,2026-11-02T08:00:00Z,Ana Ruiz,ana@example.com,active__v\n"
)
LOGINS = (
    "id,timestamp,user_name,full_name,source_ip,type,status\n"
    "1,2026-11-02T08:00:00Z,ANA@example.com,Ana Ruiz,203.0.113.9,User Login,Locked for ana@example.com\n"
    "2,never,ana@example.com,Ana Ruiz,203.0.113.9,User Login,Locked\n"
)


@pytest.fixture
def loaded(store, write, clock):
    pseudonymizer = Pseudonymizer(b"local key")
    load(write("users.csv", USERS), store, pseudonymizer=pseudonymizer, clock=clock)
    load(write("logins.csv", LOGINS + '"broken, Ana Ruiz\n'), store, pseudonymizer=pseudonymizer, clock=clock)
    return store


def test_no_name_is_left_anywhere(loaded):
    tables = ("sync_user", "sync_error", "rejected_row")
    everything = " ".join(
        str(loaded.execute(f"SELECT * FROM {table}").fetchall()) for table in tables
    ).lower()
    assert not any(word in everything for word in ("ana", "ruiz", "example.com", "203.0.113"))
    assert "41300" in everything


def test_a_user_has_the_same_pseudonym_in_every_source(loaded):
    (email,) = loaded.execute("SELECT email FROM sync_user").fetchone()
    # The e-mail address of the login has the pseudonym of the stored user, so it is replaced by the user's id.
    written = "SELECT user_id, json_extract_string(extra, '$.user_as_written') FROM sync_error"
    assert loaded.execute(written).fetchall() == [("41300", email)]
    assert (
        Pseudonymizer(b"other key").pseudonym("ana@example.com")
        != email
        == Pseudonymizer(b"local key").pseudonym("ana@example.com")
    )


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    key = read_or_create_key(tmp_path / "key")
    assert read_or_create_key(tmp_path / "key") == key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert "local" not in repr(Pseudonymizer(b"local key"))
