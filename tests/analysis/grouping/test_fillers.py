"""Values of shapes that no list has are recognized by the other messages of a store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.grouping.fillers import absorb_values, find_values
from analysis.grouping.issue_ids import find_templates, group

LISTED = ["2026-03-04", "/var/mobile/a1/store.db", "17 MB"]
UNLISTED = [
    "41 min.", "<ana77@mail.example>", "[k4x-77]", "Dr. Ivo Brandt <ivo@mail.example>",
    "*Lena Maur", "Lot~12/b", "Tor-9 @ 4", "warehouse_north", "7:12:44 pm",
]  # fmt: skip
FRAMES = [
    "Could not move {} to the archive",
    "Die Liste {} wurde nicht geladen",
    "Ouverture de {} impossible",
]


@pytest.mark.parametrize("value", UNLISTED)
@pytest.mark.parametrize("frame", FRAMES)
def test_a_value_of_an_unlisted_shape_joins_the_messages_with_listed_values(frame, value):
    assert len(set(group([frame.format(text) for text in [*LISTED, value]]))) == 1


@pytest.mark.parametrize(
    "others",
    [
        ["Upload of {} failed: not found", "Upload of {} failed: access denied"],
        ["Reply to {}: HTTP 401", "Reply to {}: HTTP 503"],
        ["{} is locked", "{} is unlocked", "{} is missing"],
        ["Sent GET {} again", "Sent DELETE {} again"],
        ["Route {} open by {}", "Route {} open by {} HTTPS"],
        ["Stopped {} (reason=quota_exceeded)", "Stopped {} (reason=session_expired)"],
        ["Cannot open {}", "Cannot open {}: Out of memory"],
        ["同期{}に失敗しました", "同期{}を開始しました"],
    ],
)  # fmt: skip
def test_codes_states_methods_and_reasons_are_no_values(others):
    messages = [
        text.replace("{}", value) for text in others for value in ["/var/a1/store.db", "77", "12:30:10"]
    ]
    ids = group(messages)
    assert [len(set(ids[start : start + 3])) for start in range(0, len(ids), 3)] == [1] * len(others)
    assert len(set(ids)) == len(others)


def test_what_is_a_value_in_several_templates_is_one_in_others():
    # The name is too short for a certain name, and in the last pair no message has a value of a listed shape.
    before = [f"{frame} {value} {end}" for frame, end in [("Abruf von", "beendet"), ("Ordner", "voll"),
              ("Kopie für", "gesendet")] for value in ("2026-03-04", "李娜", "정우진")]  # fmt: skip
    pair = ["李娜 hat den Kalender gelesen", "정우진 hat den Kalender gelesen"]
    assert len(set(group(pair))) == 2
    assert len(set(group([*before, *pair])[-2:])) == 1


def test_a_word_beside_values_in_one_place_only_is_content():
    templates = {
        ("app", str(number), "-", "<*>", "open", "by", "<*>", *end)
        for number in range(9)
        for end in [(), ("HTTPS",)]
    }
    assert find_values(templates) == frozenset()
    assert absorb_values(templates, frozenset()) == {words: words for words in templates}


def test_the_most_specific_template_absorbs():
    wide, narrow = ("store", "<*>", "of", "<*>"), ("store", "<*>", "of", "team", "<*>")
    words = ("store", "[", "<*>", "]", "of", "team", "<*>")
    assert absorb_values({wide, narrow, words}, frozenset())[words] == narrow


WORDS = st.sampled_from(
    ["store", "team", "<*>", "[", "]", ":", "Ana", "a_b", "GET", "locked", "401", "photo", ".", "李娜"]
)
TEMPLATES = st.sets(st.lists(WORDS, min_size=1, max_size=7).map(tuple), max_size=12)


@given(TEMPLATES)
def test_absorbing_ends_and_keeps_what_names_the_problem(templates):
    absorbed = absorb_values(templates, find_values(templates))
    assert absorbed.keys() == templates
    for words, wide in absorbed.items():
        for content in ("GET", "locked", "401"):
            assert wide.count(content) == words.count(content)


@given(st.lists(st.tuples(st.sampled_from(FRAMES), st.sampled_from(LISTED + UNLISTED)), max_size=20),
       st.randoms(use_true_random=False))  # fmt: skip
def test_the_order_of_messages_with_unlisted_values_has_no_effect(parts, dice):
    messages = [frame.format(value) for frame, value in parts]
    expected = dict(zip(messages, find_templates(messages), strict=True))
    shuffled = dice.sample(messages, len(messages))
    assert dict(zip(shuffled, find_templates(shuffled), strict=True)) == expected
