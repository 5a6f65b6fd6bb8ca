"""Every cause has a playbook with valid facts, queries that run, sources and warnings."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import CAUSES, METRICS, AnalysisError, parse_query
from analysis.fixes.playbook import (
    HEADINGS,
    PLACEHOLDERS,
    load_playbook,
    parse_playbook,
    playbook_causes,
)
from analysis.issues.listing import ISSUE_COLUMNS

EXPECTED_CAUSES = [
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
FLAGS = {"force_full_refresh__v", "clear_client_sync_errors__v", "upload_vtrans__v"}
each_cause = pytest.mark.parametrize("cause", EXPECTED_CAUSES)


def text_of(cause: str) -> str:
    return files("analysis.fixes").joinpath("playbooks", f"{cause}.md").read_text("utf-8")


def body_of(cause: str) -> str:
    return text_of(cause).split("+++\n")[2]


def sql_blocks(cause: str) -> list[str]:
    return re.findall(r"```sql\n(.*?)```", text_of(cause), re.DOTALL)


def test_the_folder_has_one_playbook_for_each_cause():
    assert playbook_causes() == set(EXPECTED_CAUSES) == set(CAUSES)


@each_cause
def test_the_body_has_four_headings_and_no_title(cause):
    lines = body_of(cause).splitlines()
    assert tuple(line[3:] for line in lines if line.startswith("## ")) == HEADINGS
    assert not any(line.startswith("# ") for line in lines)
    assert 20 <= len(lines) <= 60


@each_cause
def test_the_title_is_that_of_the_catalogue(cause):
    assert load_playbook(cause).title == CAUSES[cause].title


@each_cause
def test_facts_are_read_from_the_front_matter_and_agree_with_the_steps(cause):
    playbook = load_playbook(cause)
    steps = " ".join(playbook.steps.split())
    assert playbook.facts.full_refresh == ("`force_full_refresh__v`" in steps)
    where = playbook.facts.where
    if where is not None:
        assert where.split(" > ")[0] in {"Admin", "Business Admin", "Options", "Settings"}
        for placeholder, prose in zip(PLACEHOLDERS, ("the set", "the object"), strict=True):
            where = where.replace(placeholder, prose)
        assert where in steps


@each_cause
def test_every_section_has_content_and_sources_are_in_the_front_matter(cause):
    playbook = load_playbook(cause)
    sections = (playbook.meaning, playbook.impact, playbook.diagnosis, playbook.steps)
    assert all(len(section) > 80 for section in sections)
    assert playbook.sources and all(source.startswith("https://") for source in playbook.sources)
    assert "https://" not in body_of(cause)


@each_cause
def test_the_short_fix_starts_with_who_acts(cause):
    short = load_playbook(cause).short_fix
    assert 20 <= len(short) <= 110 and short.endswith(".")
    assert short.startswith(f"{load_playbook(cause).who}: ")


@each_cause
def test_every_query_runs_on_an_empty_store(cause, store):
    assert sql_blocks(cause), "a diagnosis needs a query"
    for block in sql_blocks(cause):
        store.execute(block).fetchall()


@each_cause
def test_every_query_runs_on_a_store_with_errors(cause, stormy_store):
    for block in sql_blocks(cause):
        stormy_store.execute(block).fetchall()


@each_cause
def test_every_command_exists_and_filters_the_right_cause(cause):
    text = text_of(cause)
    assert set(re.findall(r"`synclens ([a-z-]+)", text)) <= set(COMMANDS)
    assert set(re.findall(r"'cause:([a-z-]+)'", text)) <= {cause}


@each_cause
def test_search_queries_are_valid_and_metrics_exist(cause):
    text = text_of(cause)
    lines = re.findall(r"`synclens issues '([^']+)'", text)
    assert lines or cause == "unknown"  # `synclens unknown` lists these
    for line in lines:
        parse_query(line, fields=ISSUE_COLUMNS)
    assert set(re.findall(r"`synclens metric (\w+)", text)) <= set(METRICS)


@each_cause
def test_references_to_causes_and_flags_exist(cause):
    text = text_of(cause)
    assert set(re.findall(r"\*([a-z]+(?:-[a-z]+)+)\*", text)) <= set(EXPECTED_CAUSES)
    assert set(re.findall(r"`(\w*(?:refresh|sync_errors|vtrans)__v)`", text)) <= FLAGS


@each_cause
def test_every_step_that_clears_errors_has_a_warning(cause):
    for step in re.split(r"\n\d+\. ", load_playbook(cause).steps):
        if "clear_client_sync_errors__v" in step:
            assert re.search(r"lose|data are in", step), step


def test_an_unknown_cause_raises_an_error_with_a_next_step():
    with pytest.raises(AnalysisError) as caught:
        load_playbook("gremlins")
    assert "playbooks/<cause>.md" in caught.value.next_step


FACTS = """
+++
who = "Admin"
short_fix = "Admin: grant Read on the field."
sources = ["https://example.com/"]
+++
""".lstrip()
BODY = "\n\n".join(f"## {name}\n\nText." for name in HEADINGS)


@given(st.text(max_size=300))
def test_a_text_that_is_not_a_playbook_raises_an_error(text):
    with pytest.raises(AnalysisError):
        parse_playbook("x", text, title="X")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('who = "Admin"', 'who = "Somebody"'),
        ('who = "Admin"', 'who = "User"'),
        ('who = "Admin"', 'who = "Admin"\nplace = "Admin > Logs"'),
        ('who = "Admin"', 'who = "Admin"\nwhere = "Admin > {field}"'),
        ("on the field.", "on `field`."),
        ("https://", "http://"),
        ('["https://example.com/"]', "[]"),
        ("sources", "sources ="),
        ("## Impact", "## Damage"),
    ],
)
def test_invalid_facts_or_headings_raise_an_error_with_a_next_step(old, new):
    text = FACTS + BODY
    assert parse_playbook("x", text, title="X").facts.full_refresh is False
    with pytest.raises(AnalysisError, match="the playbook x is not valid") as caught:
        parse_playbook("x", text.replace(old, new), title="X")
    assert "Compare the file" in caught.value.next_step


@given(st.lists(st.text("abc XY.\n", min_size=1, max_size=40), min_size=4, max_size=4))
def test_sections_are_returned_as_written(sections):
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in zip(HEADINGS, sections, strict=True))
    playbook = parse_playbook("x", FACTS + body, title="X")
    parsed = [playbook.meaning, playbook.impact, playbook.diagnosis, playbook.steps]
    assert parsed == [section.strip() for section in sections]


@pytest.mark.parametrize(
    ("sets", "objects", "expected"),
    [
        (["rep__c"], ["call2__v"], "Admin > Sets > rep__c > Objects > call2__v"),
        (["rep__c"], [], "Admin > Sets > rep__c > Objects"),
        (["rep__c", "base__c"], ["call2__v"], "Admin > Sets"),
    ],
)
def test_the_place_ends_before_a_placeholder_without_one_value(sets, objects, expected):
    where = 'where = "Admin > Sets > {permission_set} > Objects > {object}"\n'
    playbook = parse_playbook("x", FACTS.replace("short_fix", f"{where}short_fix") + BODY, title="X")
    assert playbook.fill_where({"{permission_set}": sets, "{object}": objects}) == expected
