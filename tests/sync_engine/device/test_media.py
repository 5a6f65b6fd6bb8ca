"""The media phase: CLM media and attachments come last, and what goes wrong there leaves the data applied."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_engine.device import media, syncs
from sync_engine.lab import Lab
from sync_engine.protocol import ProcessKilled, TransportError, decode, encode
from sync_engine.telemetry import SyncDetail, SyncError
from sync_engine.vault import attachments, records
from sync_engine.vmoc import vmoc
from tests.support.examples import examples

LARGE = Random(7).randbytes(2 * attachments.PIECE_BYTES + 17)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("ana") as one:
        with one.vault.transaction():
            attachments.add_media_objects(one.vault)
        yield one


def put(lab: Lab, record_id: str, name: str, content: bytes) -> str:
    with lab.vault.transaction():
        return attachments.attach_file(lab.vault, record_id, name, content)


def message(lab: Lab, name: str = "Slide", content: bytes = b"one") -> tuple[str, str]:
    """A key message with a file: both ids."""
    record_id = lab.add_record("key_message__v", name__v=name)
    return record_id, put(lab, record_id, f"{name}.zip", content)


def play(lab: Lab, action: object) -> None:
    """Drive something that the device does by itself, as the simulator does."""
    lab.scheduler.spawn(action)  # type: ignore[arg-type]
    lab.scheduler.run_all()


def held(lab: Lab) -> dict[str, bytes]:
    return media.read_files(lab.devices["ana"])


def requests(lab: Lab, verb: str) -> int:
    return sum(f'"verb":"{verb}"'.encode() in one for one in lab.requests)


class Fails:
    """A network that loses every request for a piece of a file from the nth on."""

    def __init__(self, lab: Lab, first: int = 0) -> None:
        self.env = lab._env("ana")
        self.real, self.left = self.env.deliver, first
        self.env.deliver = self

    def __call__(self, request: bytes, crash: bool) -> bytes:
        if b'"verb":"file"' in request:
            self.left -= 1
            if self.left < 0:
                raise TransportError("NSURLErrorDomain -1005", "The network connection was lost.")
        return self.real(request, crash)

    def heal(self) -> None:
        self.env.deliver = self.real


def test_a_vault_without_files_is_not_asked_for_any():
    with Lab("ana") as lab:
        lab.sync("ana")
        assert requests(lab, "files") == 0
        assert held(lab) == {}


def test_the_library_comes_last_in_a_blocking_sync_and_only_once(lab):
    _, small = message(lab)
    _, large = message(lab, "Film", LARGE)
    lab.sync("ana")
    assert held(lab) == {small: b"one", large: LARGE}
    (detail,) = [row for row in lab.reported_rows("ana") if isinstance(row, SyncDetail)]
    assert detail.last_phase == "media"
    pieces = requests(lab, "file")
    assert pieces == 1 + 3
    lab.sync("ana")
    assert requests(lab, "file") == pieces


def test_a_new_version_takes_the_place_of_the_old_one_at_once(lab):
    record_id, file_id = message(lab, content=LARGE)
    lab.sync("ana")
    put(lab, record_id, "Slide.zip", b"two" * 400_000)
    network = Fails(lab, first=1)
    lab.sync("ana")
    assert held(lab) == {file_id: LARGE}
    network.heal()
    lab.sync("ana")
    assert held(lab) == {file_id: b"two" * 400_000}


def test_media_that_fail_leave_the_data_applied_and_the_record_says_so(lab):
    record_id, _ = message(lab)
    account = lab.add_account("Dr Ruiz")
    Fails(lab)
    assert [kind for _, kind in lab.sync("ana")] == ["NSURLErrorDomain -1005"]
    assert lab.read("ana", account) and lab.read("ana", record_id)
    (error,) = [row for row in lab.reported_rows("ana") if isinstance(row, SyncError)]
    (row,) = lab.tracking_records()
    assert (error.phase, error.sync_id) == ("media", row.id)
    assert (row.successful_sync__v, row.upload_processed__v, row.download_processed__v) == (False, True, True)
    assert row.sync_completed_datetime__v is not None and row.sync_canceled__v is False


def test_a_large_file_goes_on_where_it_was_interrupted(lab):
    _, file_id = message(lab, content=LARGE)
    network = Fails(lab, first=2)
    lab.sync("ana")
    network.heal()
    before = requests(lab, "file")
    lab.sync("ana")
    assert requests(lab, "file") - before == 1
    assert held(lab) == {file_id: LARGE}


def test_a_kill_between_two_pieces_costs_at_most_one(lab, monkeypatch):
    _, file_id = message(lab, content=LARGE)
    env, passed = lab._env("ana"), []

    def point(name: str) -> None:
        passed.append(name)
        if passed.count("media.piece") == 2 and name == "media.piece":
            raise ProcessKilled(name)

    with monkeypatch.context() as patched:
        patched.setattr(env, "fault_point", point)
        lab.sync("ana")
    assert held(lab) == {}
    before = requests(lab, "file")
    lab.sync("ana")
    assert requests(lab, "file") - before == 2
    assert held(lab) == {file_id: LARGE}


def test_one_damaged_file_is_reported_and_the_others_come(lab):
    _, good = message(lab, "Good", b"good")
    record_id, bad = message(lab, "Bad", b"bad")
    with lab.vault.transaction():
        lab.vault.db.execute("UPDATE file SET checksum = 'other' WHERE id = ?", (bad,))
    assert lab.sync("ana") == [("ana", "LOCAL_FILE_DAMAGED")]
    assert held(lab) == {good: b"good"}
    (error,) = [row for row in lab.reported_rows("ana") if isinstance(row, SyncError)]
    assert (error.object, error.record_id, error.operation) == ("key_message__v", record_id, "download")
    put(lab, record_id, "Bad.zip", b"mended")
    assert lab.sync("ana") == []
    assert held(lab)[bad] == b"mended"


def test_a_file_leaves_with_its_record(lab):
    record_id, _ = message(lab)
    _, other = message(lab, "Other", b"other")
    lab.sync("ana")
    lab.delete_in_vault(record_id)
    lab.sync("ana")
    assert held(lab) == {other: b"other"}
    with lab.vault.transaction():
        attachments.remove_file(lab.vault, other)
    lab.sync("ana")
    assert held(lab) == {}


def test_a_database_refresh_neither_erases_media_nor_brings_them_again(lab):
    record_id, _ = message(lab)
    _, kept = message(lab, "Kept", b"kept")
    lab.sync("ana")
    pieces = requests(lab, "file")
    lab.delete_in_vault(record_id)
    lab.sync("ana", kind="database_refresh")
    assert requests(lab, "file") == pieces
    assert held(lab) == {kept: b"kept"}


def test_after_apply_updates_come_by_themselves_and_new_media_only_when_asked_for(lab):
    record_id, file_id = message(lab)
    lab.sync("ana")
    device = lab.devices["ana"]
    put(lab, record_id, "Slide.zip", b"two")
    _, fresh = message(lab, "New", b"new")
    lab.sync("ana", kind="non_blocking")
    assert held(lab) == {file_id: b"one"}
    assert syncs.apply_update(device)
    play(lab, syncs.sync_media_after_apply(device))
    assert held(lab) == {file_id: b"two"}
    play(lab, syncs.download_all_media(device))
    assert held(lab) == {file_id: b"two", fresh: b"new"}
    assert len(lab.tracking_records()) == 2


def test_media_after_apply_stop_when_the_app_leaves_the_foreground(lab):
    record_id, file_id = message(lab)
    lab.sync("ana")
    device = lab.devices["ana"]
    put(lab, record_id, "Slide.zip", b"two")
    device.foreground = False
    play(lab, syncs.sync_media_after_apply(device))
    assert held(lab) == {file_id: b"one"}
    device.foreground = True
    play(lab, syncs.sync_media_after_apply(device))
    assert held(lab) == {file_id: b"two"}


def allow(lab: Lab, *, in_vmoc: bool = True, on_object: bool = True) -> None:
    with lab.vault.transaction():
        definition = lab.vault.live["object"]["account__v"] | {"allow_attachments": on_object}
        lab.vault.configure("object", "account__v", definition)
        lab.vault.configure("vmoc", "account__v", vmoc("account__v", include_attachments__v=in_vmoc))
        lab.vault.publish()


@pytest.mark.parametrize("in_vmoc", [True, False])
@pytest.mark.parametrize("on_object", [True, False])
def test_attachments_need_the_vmoc_and_the_object(lab, in_vmoc, on_object):
    allow(lab, in_vmoc=in_vmoc, on_object=on_object)
    file_id = put(lab, lab.add_account("Dr Ruiz"), "consent.pdf", b"signed")
    lab.sync("ana")
    assert held(lab) == ({file_id: b"signed"} if in_vmoc and on_object else {})


def test_attachments_keep_to_the_territory_and_leave_with_it(lab):
    allow(lab)
    account, other_account = lab.add_account("Dr Ruiz"), lab.add_account("Dr Wong", territory="T2")
    file_id = put(lab, account, "consent.pdf", b"signed")
    hidden = put(lab, other_account, "consent.pdf", b"secret")
    lab.sync("ana")
    assert held(lab) == {file_id: b"signed"}
    request = {"verb": "file", "file": hidden, "version": 1, "at": 0}
    refused = attachments_of(lab, request)
    assert refused["errors"][0]["type"] == "INVALID_DATA"
    record = records.find(lab.vault, account)
    assert record is not None
    with lab.vault.transaction():
        records.move(lab.vault, record, "T2")
    lab.sync("ana")
    assert held(lab) == {}


def attachments_of(lab: Lab, request: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    """The Vault's answer to a request that the device sends by itself."""
    device = lab.devices["ana"]
    return decode(lab._deliver(encode(device.identity() | request), False))


def test_new_attachments_come_after_apply(lab):
    allow(lab)
    account = lab.add_account("Dr Ruiz")
    lab.sync("ana")
    file_id = put(lab, account, "consent.pdf", b"signed")
    lab.sync("ana", kind="non_blocking")
    assert syncs.apply_update(lab.devices["ana"])
    play(lab, syncs.sync_media_after_apply(lab.devices["ana"]))
    assert held(lab) == {file_id: b"signed"}


@settings(deadline=None, max_examples=examples(25))
@given(seed=st.integers(0, 2**32), faults=st.lists(st.integers(0, 4), max_size=4))
def test_whatever_is_lost_on_the_way_the_device_ends_with_the_vaults_files(seed, faults):
    rng = Random(seed)
    with Lab("ana") as lab:
        with lab.vault.transaction():
            attachments.add_media_objects(lab.vault)
        wanted = {}
        slides = [lab.add_record("key_message__v", name__v=f"{n}") for n in range(3)]
        for fault in [*faults, 99]:
            record_id = rng.choice(slides)
            content = rng.randbytes(rng.choice([0, 10, attachments.PIECE_BYTES + 1]))
            wanted[put(lab, record_id, "slide.zip", content)] = content
            network = Fails(lab, first=fault)
            lab.sync("ana")
            network.heal()
        assert held(lab) == wanted


def test_a_file_that_was_taken_away_and_comes_again_is_another_file(lab):
    record_id, first = message(lab, content=b"old")
    lab.sync("ana")
    with lab.vault.transaction():
        attachments.remove_file(lab.vault, first)
    second = put(lab, record_id, "Slide.zip", b"new")
    lab.sync("ana")
    assert held(lab) == {second: b"new"}
