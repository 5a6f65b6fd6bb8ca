"""The query language: what it reads, what it refuses, and what its answers are."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_engine.protocol import VaultError
from sync_engine.vault_api import vql
from sync_engine.vault_api.evaluate import QueryEngine
from sync_engine.vault_api.objects import Field, Object

TEAMS = [{"id": "T1", "name__v": "Red"}, {"id": "T2", "name__v": "Blue"}]
PEOPLE = [
    {
        "id": "P1",
        "name__v": "Ana",
        "age__v": 31,
        "team__v": "T1",
        "tags__v": ["a__v", "b__v"],
        "born__v": None,
    },
    {"id": "P2", "name__v": "ben", "age__v": None, "team__v": "T2", "tags__v": None, "born__v": "2020-05-01"},
    {
        "id": "P3",
        "name__v": "Cid",
        "age__v": 7,
        "team__v": None,
        "tags__v": ["b__v"],
        "born__v": "2021-05-01",
    },
]


def answers() -> QueryEngine:
    basic = [Field(name="id", type="ID"), Field(name="name__v", type="String")]
    more = [
        Field(name="age__v", type="Number"),
        Field(name="team__v", type="Object", to="team__v"),
        Field(name="tags__v", type="Picklist"),
        Field(name="born__v", type="Date"),
    ]
    person = Object(name="person__v", fields={f.name: f for f in basic + more}, rows=lambda: iter(PEOPLE))
    inbound = {"persons__vr": ("person__v", "team__v")}
    team = Object(
        name="team__v", fields={f.name: f for f in basic}, rows=lambda: iter(TEAMS), inbound=inbound
    )
    return QueryEngine({"person__v": person, "team__v": team})


def ids(where: str, tail: str = "") -> str:
    tree = vql.parse(f"SELECT id FROM person__v {'WHERE ' + where if where else ''} {tail}")
    assert isinstance(tree, vql.Select)
    return " ".join(row["id"] for row in answers().select(tree))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "P1 P2 P3"),
        ("age__v > 7", "P1"),
        ("age__v != 7", "P1 P2"),
        ("age__v = null", "P2"),
        ("age__v != null AND NOT age__v = 7", "P1"),
        ("name__v LIKE 'A%' OR name__v LIKE '%d'", "P1 P3"),
        ("name__v = 'Ben'", ""),
        ("CASEINSENSITIVE(name__v) = 'BEN'", "P2"),
        ("tags__v = 'b__v'", "P1 P3"),
        ("tags__v CONTAINS ('a__v', 'c__v')", "P1"),
        ("tags__v = null", "P2"),
        ("team__vr.name__v = 'Blue'", "P2"),
        ("age__v BETWEEN 7 AND 30", "P3"),
        ("born__v >= '2020-05-01T00:00:00.000Z'", "P2 P3"),
        ("id = 'P1' OR id = 'P2' AND age__v = 1", "P1"),
        ("(id = 'P1' OR id = 'P2') AND age__v = 31", "P1"),
        ("team__v IN (SELECT id FROM team__v WHERE name__v = 'Red')", "P1"),
    ],
)
def test_conditions(where: str, expected: str) -> None:
    assert ids(where) == expected


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("ORDER BY name__v DESC", "P2 P3 P1"),
        ("ORDER BY age__v ASC", "P2 P3 P1"),  # what is missing sorts first
        ("ORDER BY team__vr.name__v, id DESC", "P3 P2 P1"),
        ("ORDER BY id LIMIT 2", "P1 P2"),
        ("ORDER BY id SKIP 1 MAXROWS 1", "P2"),
        ("order by id desc offset 2", "P1"),
    ],
)
def test_order_and_limits(tail: str, expected: str) -> None:
    assert ids("", tail) == expected


def test_a_lookup_is_a_flat_key_with_a_dot_and_a_subquery_is_an_object_of_its_own() -> None:
    tree = vql.parse("SELECT team__vr.name__v FROM person__v WHERE id = 'P1'")
    assert isinstance(tree, vql.Select)
    assert answers().select(tree) == [{"team__vr.name__v": "Red"}]
    tree = vql.parse("SELECT id, (SELECT name__v FROM persons__vr) FROM team__v")
    assert isinstance(tree, vql.Select)
    first = answers().select(tree)[0]["persons__vr"]
    assert first["data"] == [{"name__v": "Ana"}]
    assert first["responseDetails"]["total"] == 1


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("SELECT FROM x", "INCORRECT_QUERY_SYNTAX_ERROR", "expected a field but found [FROM]"),
        ("SELECT id", "INCORRECT_QUERY_SYNTAX_ERROR", "expected [FROM] but found [the end]"),
        ("SELECT count() FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "unknown function [count]"),
        ("SELECT id FROM person__v WHERE name__v = Ana", "INCORRECT_QUERY_SYNTAX_ERROR", "single quotes"),
        ("SELECT id FROM person__v PAGESIZE 0", "INCORRECT_QUERY_SYNTAX_ERROR", "PAGESIZE needs"),
        ("SELECT id FROM person__v; DROP", "INCORRECT_QUERY_SYNTAX_ERROR", "cannot read [; DROP]"),
        ("SELECT height__v FROM person__v", "ATTRIBUTE_NOT_SUPPORTED", "[height__v]"),
        ("SELECT id FROM nobody__v", "INVALID_DATA", "[nobody__v]"),
        ("SELECT id FROM person__v WHERE age__v = 'old'", "INVALID_DATA", "does not fit"),
        ("SELECT id FROM person__v WHERE born__v > 'soon'", "INVALID_DATA", "write YYYY-MM-DD"),
        ("SELECT id, (SELECT id FROM no__vr) FROM team__v", "INVALID_DATA", "is not a relationship"),
    ],
)
def test_refusals_say_what_is_wrong(text: str, error: str, words: str) -> None:
    with pytest.raises(VaultError) as refused:
        tree = vql.parse(text)
        assert isinstance(tree, vql.Select)
        answers().select(tree)
    assert refused.value.type == error
    assert words in refused.value.message


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(VaultError, match="nested too deeply"):
        vql.parse("SELECT id FROM person__v WHERE " + "(" * 20_000)


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_read_or_refused(tail: str) -> None:
    for text in (tail, f"SELECT id FROM person__v WHERE {tail}", f"SELECT {tail} FROM person__v"):
        try:
            tree = vql.parse(text)
            if isinstance(tree, vql.Select):
                answers().select(tree)
        except VaultError:
            pass


@given(st.text(max_size=30))
def test_any_text_can_be_compared_with(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    tree = vql.parse(f"SELECT id FROM person__v WHERE name__v = '{quoted}'")
    assert isinstance(tree, vql.Select)
    assert isinstance(tree.where, vql.Compare)
    assert tree.where.values == (value,)


def long_texts() -> QueryEngine:
    names = {"id": "ID", "plain__v": "String", "long__v": "LongText", "rich__v": "RichText"}
    fields = {name: Field(name=name, type=kind) for name, kind in names.items()}  # type: ignore[arg-type]
    row = {"id": "N1"} | {name: f"{name} " + "日" * 40_000 for name in names if name != "id"}
    return QueryEngine({"note__v": Object(name="note__v", fields=fields, rows=lambda: iter([row]))})


def select_notes(columns: str) -> dict[str, Any]:
    tree = vql.parse(f"SELECT {columns} FROM note__v")
    assert isinstance(tree, vql.Select)
    return long_texts().select(tree)[0]


def test_long_and_rich_text_are_cut_without_the_function_of_their_type() -> None:
    cut = select_notes("plain__v, long__v, rich__v")
    assert {name: len(text) for name, text in cut.items()} == {
        "plain__v": 40_009,
        "long__v": 250,
        "rich__v": 250,
    }
    whole = select_notes("LONGTEXT(plain__v), LONGTEXT(long__v), RICHTEXT(rich__v)")
    assert [len(text) for text in whole.values()] == [40_009, 40_008, 40_008]
    assert [len(text) for text in select_notes("RICHTEXT(long__v), LONGTEXT(rich__v)").values()] == [250, 250]
