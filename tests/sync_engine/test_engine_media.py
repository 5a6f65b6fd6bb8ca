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
def story() -> Iterator[Lab]:
    with Lab("ana") as one:
        with one.vault.transaction():
            attachments.provide_media(one.vault)
        yield one


def put(story: Lab, record_id: str, name: str, content: bytes) -> str:
    with story.vault.transaction():
        return attachments.put(story.vault, record_id, name, content)


def message(story: Lab, name: str = "Slide", content: bytes = b"one") -> tuple[str, str]:
    """A key message with a file: both ids."""
    record_id = story.record("key_message__v", name__v=name)
    return record_id, put(story, record_id, f"{name}.zip", content)


def play(story: Lab, action: object) -> None:
    """Drive something that the device does by itself, as the simulator does."""
    story.scheduler.spawn(action)  # type: ignore[arg-type]
    story.scheduler.drain()


def held(story: Lab) -> dict[str, bytes]:
    return media.files_on(story.devices["ana"])


def requests(story: Lab, verb: str) -> int:
    return sum(f'"verb":"{verb}"'.encode() in one for one in story.delivered)


class Fails:
    """A network that loses every request for a piece of a file from the nth on."""

    def __init__(self, story: Lab, first: int = 0) -> None:
        self.env = story._env("ana")
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
    with Lab("ana") as story:
        story.sync("ana")
        assert requests(story, "files") == 0
        assert held(story) == {}


def test_the_library_comes_last_in_a_blocking_sync_and_only_once(story):
    _, small = message(story)
    _, large = message(story, "Film", LARGE)
    story.sync("ana")
    assert held(story) == {small: b"one", large: LARGE}
    (detail,) = [row for row in story.reported("ana") if isinstance(row, SyncDetail)]
    assert detail.last_phase == "media"
    pieces = requests(story, "file")
    assert pieces == 1 + 3
    story.sync("ana")
    assert requests(story, "file") == pieces


def test_a_new_version_takes_the_place_of_the_old_one_at_once(story):
    record_id, file_id = message(story, content=LARGE)
    story.sync("ana")
    put(story, record_id, "Slide.zip", b"two" * 400_000)
    network = Fails(story, first=1)
    story.sync("ana")
    assert held(story) == {file_id: LARGE}
    network.heal()
    story.sync("ana")
    assert held(story) == {file_id: b"two" * 400_000}


def test_media_that_fail_leave_the_data_applied_and_the_record_says_so(story):
    record_id, _ = message(story)
    account = story.account("Dr Ruiz")
    Fails(story)
    assert [kind for _, kind in story.sync("ana")] == ["NSURLErrorDomain -1005"]
    assert story.sees("ana", account) and story.sees("ana", record_id)
    (error,) = [row for row in story.reported("ana") if isinstance(row, SyncError)]
    (row,) = story.tracked()
    assert (error.phase, error.sync_id) == ("media", row.id)
    assert (row.successful_sync__v, row.upload_processed__v, row.download_processed__v) == (False, True, True)
    assert row.sync_completed_datetime__v is not None and row.sync_canceled__v is False


def test_a_large_file_goes_on_where_it_was_interrupted(story):
    _, file_id = message(story, content=LARGE)
    network = Fails(story, first=2)
    story.sync("ana")
    network.heal()
    before = requests(story, "file")
    story.sync("ana")
    assert requests(story, "file") - before == 1
    assert held(story) == {file_id: LARGE}


def test_a_kill_between_two_pieces_costs_at_most_one(story, monkeypatch):
    _, file_id = message(story, content=LARGE)
    env, passed = story._env("ana"), []

    def point(name: str) -> None:
        passed.append(name)
        if passed.count("media.piece") == 2 and name == "media.piece":
            raise ProcessKilled(name)

    with monkeypatch.context() as patched:
        patched.setattr(env, "point", point)
        story.sync("ana")
    assert held(story) == {}
    before = requests(story, "file")
    story.sync("ana")
    assert requests(story, "file") - before == 2
    assert held(story) == {file_id: LARGE}


def test_one_damaged_file_is_reported_and_the_others_come(story):
    _, good = message(story, "Good", b"good")
    record_id, bad = message(story, "Bad", b"bad")
    with story.vault.transaction():
        story.vault.db.execute("UPDATE file SET checksum = 'other' WHERE id = ?", (bad,))
    assert story.sync("ana") == [("ana", "LOCAL_FILE_DAMAGED")]
    assert held(story) == {good: b"good"}
    (error,) = [row for row in story.reported("ana") if isinstance(row, SyncError)]
    assert (error.object, error.record_id, error.operation) == ("key_message__v", record_id, "download")
    put(story, record_id, "Bad.zip", b"mended")
    assert story.sync("ana") == []
    assert held(story)[bad] == b"mended"


def test_a_file_leaves_with_its_record(story):
    record_id, _ = message(story)
    _, other = message(story, "Other", b"other")
    story.sync("ana")
    story.remove(record_id)
    story.sync("ana")
    assert held(story) == {other: b"other"}
    with story.vault.transaction():
        attachments.remove(story.vault, other)
    story.sync("ana")
    assert held(story) == {}


def test_a_database_refresh_neither_erases_media_nor_brings_them_again(story):
    record_id, _ = message(story)
    _, kept = message(story, "Kept", b"kept")
    story.sync("ana")
    pieces = requests(story, "file")
    story.remove(record_id)
    story.sync("ana", kind="database_refresh")
    assert requests(story, "file") == pieces
    assert held(story) == {kept: b"kept"}


def test_after_apply_updates_come_by_themselves_and_new_media_only_when_asked_for(story):
    record_id, file_id = message(story)
    story.sync("ana")
    device = story.devices["ana"]
    put(story, record_id, "Slide.zip", b"two")
    _, fresh = message(story, "New", b"new")
    story.sync("ana", kind="non_blocking")
    assert held(story) == {file_id: b"one"}
    assert syncs.apply_update(device)
    play(story, syncs.follow_apply(device))
    assert held(story) == {file_id: b"two"}
    play(story, syncs.download_all_media(device))
    assert held(story) == {file_id: b"two", fresh: b"new"}
    assert len(story.tracked()) == 2


def test_media_after_apply_stop_when_the_app_leaves_the_foreground(story):
    record_id, file_id = message(story)
    story.sync("ana")
    device = story.devices["ana"]
    put(story, record_id, "Slide.zip", b"two")
    device.foreground = False
    play(story, syncs.follow_apply(device))
    assert held(story) == {file_id: b"one"}
    device.foreground = True
    play(story, syncs.follow_apply(device))
    assert held(story) == {file_id: b"two"}


def allow(story: Lab, *, in_vmoc: bool = True, on_object: bool = True) -> None:
    with story.vault.transaction():
        definition = story.vault.live["object"]["account__v"] | {"allow_attachments": on_object}
        story.vault.configure("object", "account__v", definition)
        story.vault.configure("vmoc", "account__v", vmoc("account__v", include_attachments__v=in_vmoc))
        story.vault.publish()


@pytest.mark.parametrize("in_vmoc", [True, False])
@pytest.mark.parametrize("on_object", [True, False])
def test_attachments_need_the_vmoc_and_the_object(story, in_vmoc, on_object):
    allow(story, in_vmoc=in_vmoc, on_object=on_object)
    file_id = put(story, story.account("Dr Ruiz"), "consent.pdf", b"signed")
    story.sync("ana")
    assert held(story) == ({file_id: b"signed"} if in_vmoc and on_object else {})


def test_attachments_keep_to_the_territory_and_leave_with_it(story):
    allow(story)
    mine, other = story.account("Dr Ruiz"), story.account("Dr Wong", territory="T2")
    file_id = put(story, mine, "consent.pdf", b"signed")
    hidden = put(story, other, "consent.pdf", b"secret")
    story.sync("ana")
    assert held(story) == {file_id: b"signed"}
    request = {"verb": "file", "file": hidden, "version": 1, "at": 0}
    refused = attachments_of(story, request)
    assert refused["errors"][0]["type"] == "INVALID_DATA"
    found = records.find(story.vault, mine)
    assert found is not None
    with story.vault.transaction():
        records.move(story.vault, found, "T2")
    story.sync("ana")
    assert held(story) == {}


def attachments_of(story: Lab, request: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    """The Vault's answer to a request that the device sends by itself."""
    device = story.devices["ana"]
    return decode(story._deliver(encode(device.identity() | request), False))


def test_new_attachments_come_after_apply(story):
    allow(story)
    account = story.account("Dr Ruiz")
    story.sync("ana")
    file_id = put(story, account, "consent.pdf", b"signed")
    story.sync("ana", kind="non_blocking")
    assert syncs.apply_update(story.devices["ana"])
    play(story, syncs.follow_apply(story.devices["ana"]))
    assert held(story) == {file_id: b"signed"}


@settings(deadline=None, max_examples=examples(25))
@given(seed=st.integers(0, 2**32), faults=st.lists(st.integers(0, 4), max_size=4))
def test_whatever_is_lost_on_the_way_the_device_ends_with_the_vaults_files(seed, faults):
    rng = Random(seed)
    with Lab("ana") as story:
        with story.vault.transaction():
            attachments.provide_media(story.vault)
        wanted = {}
        slides = [story.record("key_message__v", name__v=f"{n}") for n in range(3)]
        for fault in [*faults, 99]:
            record_id = rng.choice(slides)
            content = rng.randbytes(rng.choice([0, 10, attachments.PIECE_BYTES + 1]))
            wanted[put(story, record_id, "slide.zip", content)] = content
            network = Fails(story, first=fault)
            story.sync("ana")
            network.heal()
        assert held(story) == wanted


def test_a_file_that_was_taken_away_and_comes_again_is_another_file(story):
    record_id, first = message(story, content=b"old")
    story.sync("ana")
    with story.vault.transaction():
        attachments.remove(story.vault, first)
    second = put(story, record_id, "Slide.zip", b"new")
    story.sync("ana")
    assert held(story) == {second: b"new"}
