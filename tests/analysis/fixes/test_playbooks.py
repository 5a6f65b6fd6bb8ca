"""Every cause has a playbook that can be followed: its form, queries that run, sources, warnings."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import METRICS, AnalysisError, parse_query
from analysis.fixes.playbook import (
    HEADINGS,
    first_sentence,
    load_playbook,
    parse_playbook,
    playbook_causes,
)
from analysis.issues.listing import ISSUE_COLUMNS

TAXONOMY = [
    "object-permission", "field-permission", "record-visibility", "session-expired", "password-expired",
    "sign-in-failed", "access-policy", "record-locked", "concurrent-change", "record-deleted",
    "invalid-reference", "inactive-owner", "duplicate-record", "delete-blocked", "required-field",
    "date-limit", "picklist-value", "invalid-value", "validation-rule", "server-automation",
    "sync-configuration", "app-outdated", "schema-mismatch", "rate-limit", "payload-too-large",
    "server-quota", "server-unavailable", "network", "tls-certificate", "device-clock", "app-suspended",
    "device-storage-full", "local-database-busy", "local-database-damaged", "local-state-mismatch",
    "unknown",
]  # fmt: skip
COMMANDS = [
    "load", "pull", "simulate", "issues", "explain-error", "metric", "classify", "unknown", "rules",
    "rehearse", "lint", "rejected", "doctor", "backup", "restore", "export", "dashboard", "report-card",
    "watch",
]  # fmt: skip
LEVERS = {"force_full_refresh__v", "clear_client_sync_errors__v", "upload_vtrans__v"}
each_cause = pytest.mark.parametrize("cause", TAXONOMY)


def text_of(cause: str) -> str:
    return files("analysis.fixes").joinpath("playbooks", f"{cause}.md").read_text("utf-8")


def sql_blocks(cause: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", text_of(cause), re.DOTALL)


def test_the_folder_holds_the_taxonomy_and_nothing_else():
    assert playbook_causes() == set(TAXONOMY)


@each_cause
def test_the_form_is_one_title_and_four_headings(cause):
    lines = text_of(cause).splitlines()
    assert lines[0].startswith("# ") and not lines[0].endswith(".")
    assert tuple(line[3:] for line in lines if line.startswith("## ")) == HEADINGS
    assert 25 <= len(lines) <= 60


@each_cause
def test_every_part_says_something_and_names_its_sources(cause):
    page = load_playbook(cause)
    assert all(len(part) > 80 for part in (page.meaning, page.impact, page.diagnosis, page.fix))
    assert page.sources and all(source.startswith("https://") for source in page.sources)
    assert "Sources:" not in page.fix


@each_cause
def test_the_short_fix_stands_alone_and_says_who(cause):
    short = load_playbook(cause).short_fix
    assert 20 <= len(short) <= 110 and short.endswith(".")
    assert re.match(
        r"(Admin|User|User or admin|Data steward|Developer|Network team|Support engineer): ", short
    )


@each_cause
def test_every_query_runs_on_an_empty_store(cause, store):
    assert sql_blocks(cause), "a diagnosis has a query"
    for block in sql_blocks(cause):
        store.execute(block).fetchall()


@each_cause
def test_every_query_runs_on_a_store_in_trouble(cause, stormy_store):
    for block in sql_blocks(cause):
        stormy_store.execute(block).fetchall()


@each_cause
def test_every_command_exists_and_filters_the_right_cause(cause):
    text = text_of(cause)
    assert set(re.findall(r"`synclens ([a-z-]+)", text)) <= set(COMMANDS)
    assert set(re.findall(r"'cause:([a-z-]+)'", text)) <= {cause}


@each_cause
def test_search_lines_are_understood_and_metrics_exist(cause):
    text = text_of(cause)
    lines = re.findall(r"`synclens issues '([^']+)'", text)
    assert lines or cause == "unknown"  # which has a queue of its own
    for line in lines:
        parse_query(line, fields=ISSUE_COLUMNS)
    assert set(re.findall(r"`synclens metric (\w+)", text)) <= set(METRICS)


@each_cause
def test_other_pages_and_levers_are_spelled_as_they_are(cause):
    text = text_of(cause)
    assert set(re.findall(r"\*([a-z]+(?:-[a-z]+)+)\*", text)) <= set(TAXONOMY)
    assert set(re.findall(r"`(\w*(?:refresh|sync_errors|vtrans)__v)`", text)) <= LEVERS


@each_cause
def test_clearing_errors_never_comes_without_its_warning(cause):
    fix = load_playbook(cause).fix
    for step in re.split(r"\n\d+\. ", fix):
        if "clear_client_sync_errors__v" in step:
            assert re.search(r"lose|data are in", step), step


def test_an_unknown_cause_says_what_to_do():
    with pytest.raises(AnalysisError) as caught:
        load_playbook("gremlins")
    assert "playbooks/<cause>.md" in caught.value.next_step


@given(st.text(max_size=300))
def test_a_text_that_is_no_playbook_is_refused_and_never_crashes(text):
    with pytest.raises(AnalysisError):
        parse_playbook("x", text)


@given(st.lists(st.text("abc XY.\n", min_size=1, max_size=40), min_size=4, max_size=4))
def test_parts_come_back_as_they_were_written(parts):
    text = "# Title\n\n" + "\n\n".join(
        f"## {name}\n\n{part}" for name, part in zip(HEADINGS, parts, strict=True)
    )
    page = parse_playbook("x", text)
    assert [page.meaning, page.impact, page.diagnosis, page.fix] == [part.strip() for part in parts]


def test_the_first_sentence_loses_markup_and_keeps_field_names():
    assert first_sentence("**Admin**: grant `modified_date__v`, or e.g. less. Then\nwait.") == (
        "Admin: grant modified_date__v, or e.g. less."
    )
