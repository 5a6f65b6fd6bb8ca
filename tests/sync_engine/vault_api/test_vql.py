"""The query language: what it reads, what it refuses, and what its answers are."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_engine.protocol import VaultError
from sync_engine.vault_api.objects import Field, Object
from sync_engine.vault_api.vql.engine import QueryEngine
from sync_engine.vault_api.vql.parser import parse
from sync_engine.vault_api.vql.tree import Compare, Select

NOW = datetime(2021, 6, 16, 12, 0, 5, tzinfo=UTC).timestamp()
TEAMS = [{"id": "T1", "name__v": "Red"}, {"id": "T2", "name__v": "Blue"}]
PEOPLE = [
    {
        "id": "P1",
        "name__v": "Ana",
        "age__v": 31,
        "team__v": "T1",
        "tags__v": ["a__v", "b__v"],
        "born__v": None,
        "notes__v": "Prefers calls before noon. " + "x" * 300,
        "seen__v": "2021-06-16T09:00:00.000Z",
    },
    {
        "id": "P2",
        "name__v": "ben 50% o'day",
        "age__v": None,
        "team__v": "T2",
        "tags__v": None,
        "born__v": "2020-05-01",
        "notes__v": None,
        "seen__v": "2021-05-31T23:59:59.000Z",
    },
    {
        "id": "P3",
        "name__v": "Cid",
        "age__v": 7,
        "team__v": None,
        "tags__v": ["b__v"],
        "born__v": "2021-06-14",
        "notes__v": "Asked for samples",
        "seen__v": None,
    },
]


def answers() -> QueryEngine:
    basic = [Field(name="id", type="ID"), Field(name="name__v", type="String")]
    more = [
        Field(name="age__v", type="Number"),
        Field(name="team__v", type="Object", to="team__v"),
        Field(name="tags__v", type="Picklist"),
        Field(name="born__v", type="Date"),
        Field(name="notes__v", type="LongText"),
        Field(name="seen__v", type="DateTime"),
    ]
    person = Object(name="person__v", fields={f.name: f for f in basic + more}, rows=lambda: iter(PEOPLE))
    inbound = {"persons__vr": ("person__v", "team__v")}
    team = Object(
        name="team__v", fields={f.name: f for f in basic}, rows=lambda: iter(TEAMS), inbound=inbound
    )
    return QueryEngine({"person__v": person, "team__v": team}, NOW)


def ids(where: str, tail: str = "") -> str:
    tree = parse(f"SELECT id FROM person__v {'WHERE ' + where if where else ''} {tail}")
    assert isinstance(tree, Select)
    return " ".join(row["id"] for row in answers().select(tree))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "P1 P2 P3"),
        ("age__v > 7", "P1"),
        ("age__v != 7", "P1 P2"),
        ("age__v = null", "P2"),
        ("age__v != null AND age__v != 7", "P1"),
        ("name__v LIKE 'A%' OR name__v LIKE 'C%d'", "P1 P3"),
        ("name__v LIKE 'ben 50\\% %'", "P2"),
        ("name__v LIKE 'ben 5%0%'", "P2"),
        ("CASEINSENSITIVE(name__v) LIKE 'aN%'", "P1"),
        ("name__v = 'ben 50% o\\'day'", "P2"),
        ("name__v = 'ben 50\\% o''day'", "P2"),
        ("name__v = 'Ben'", ""),
        ("CASEINSENSITIVE(name__v) = 'ANA'", "P1"),
        ("TOLABEL(tags__v) = 'A'", "P1"),
        ("tags__v = 'b__v'", "P1 P3"),
        ("tags__v CONTAINS ('a__v', 'c__v')", "P1"),
        ("tags__v = null", "P2"),
        ("team__vr.name__v = 'Blue'", "P2"),
        ("age__v BETWEEN 7 AND 30", "P3"),
        ("born__v >= '2020-05-01T00:00:00.000Z'", "P2 P3"),
        ("id = 'P1' OR id = 'P2' AND age__v = 1", "P1"),
        ("(id = 'P1' OR id = 'P2') AND age__v = 31", "P1"),
        ("born__v = LAST_DAYS:2", "P3"),
        ("born__v = LAST_DAYS:1", ""),
        ("seen__v = TODAY", "P1"),
        ("seen__v < TODAY", "P2"),
        ("seen__v >= TODAY", "P1"),
        ("seen__v > TODAY", ""),
        ("seen__v <= TODAY", "P1 P2"),
        ("seen__v != TODAY", "P2 P3"),  # an empty field is not equal
        ("seen__v = LAST_MONTHS:1", "P2"),
        ("seen__v = THIS_MONTH", "P1"),
        ("seen__v = DAYS_AGO:16", "P2"),
        ("seen__v = YEARS_AGO:1", ""),
        ("seen__v = NEXT_DAYS:1", "P1"),
        ("seen__v = THIS_QUARTER:1 AND born__v = YEARS_AGO:1", "P2"),
    ],
)
def test_conditions(where: str, expected: str) -> None:
    assert ids(where) == expected


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("ORDER BY name__v DESC", "P2 P3 P1"),
        ("ORDER BY age__v ASC", "P3 P1 P2"),  # documented: empty fields are last
        ("ORDER BY age__v DESC", "P1 P3 P2"),
        ("ORDER BY TOLABEL(tags__v), id DESC", "P1 P3 P2"),
        ("ORDER BY id MAXROWS 2", "P1 P2"),
        ("ORDER BY id SKIP 1 MAXROWS 1", "P2"),
        ("order by id desc skip 2 maxrows 5 pagesize 1", "P1"),
    ],
)
def test_order_and_limits(tail: str, expected: str) -> None:
    assert ids("", tail) == expected


def test_a_lookup_is_a_flat_key_with_a_dot_and_a_subquery_is_an_object_of_its_own() -> None:
    tree = parse("SELECT team__vr.name__v FROM person__v WHERE id = 'P1'")
    assert isinstance(tree, Select)
    assert answers().select(tree) == [{"team__vr.name__v": "Red"}]
    tree = parse("SELECT id, (SELECT name__v FROM persons__vr) FROM team__v")
    assert isinstance(tree, Select)
    first = answers().select(tree)[0]["persons__vr"]
    assert first["data"] == [{"name__v": "Ana"}]
    assert first["responseDetails"]["total"] == 1


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("SELECT id FROM person__v WHERE NOT age__v = 7", "INCORRECT_QUERY_SYNTAX_ERROR", "FIND only"),
        (
            "SELECT id FROM person__v WHERE name__v LIKE '%d'",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "leading wildcard",
        ),
        (
            "SELECT id FROM person__v WHERE name__v = 'a\\b'",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "escape sequence",
        ),
        (
            "SELECT id FROM person__v ORDER BY team__vr.name__v",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "cannot order",
        ),
        ("SELECT id FROM person__v PAGESIZE 5 MAXROWS 3", "INCORRECT_QUERY_SYNTAX_ERROR", "before PAGESIZE"),
        ("SELECT id FROM person__v SKIP 1 SKIP 2", "INCORRECT_QUERY_SYNTAX_ERROR", "occurs twice"),
        ("SELECT name__v, name__v FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "AS"),
        ("SELECT id AS a__b FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "not an alias"),
        ("SELECT id AS order FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "not an alias"),
        ("SELECT id AS age__v FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "not an alias"),
        ("SELECT TONAME(tags__v) FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "not supported in SELECT"),
        ("SELECT LONGTEXT(name__v) FROM person__v", "INVALID_DATA", "long text"),
        ("SELECT RICHTEXT(notes__v) FROM person__v", "INVALID_DATA", "rich text"),
        ("SELECT TRIM(name__v) FROM person__v", "INVALID_DATA", "picklist"),
        ("SELECT id FROM person__v WHERE CASEINSENSITIVE(age__v) = 'x'", "INVALID_DATA", "text field"),
        ("SELECT id FROM person__v WHERE TOLABEL(name__v) = 'x'", "INVALID_DATA", "picklist"),
        ("SELECT id FROM person__v WHERE age__v > null", "INCORRECT_QUERY_SYNTAX_ERROR", "null"),
        ("SELECT id FROM person__v WHERE age__v BETWEEN null AND 3", "INCORRECT_QUERY_SYNTAX_ERROR", "null"),
        ("SELECT id FROM person__v WHERE name__v = TODAY", "INVALID_DATA", "does not fit"),
        ("SELECT id FROM person__v WHERE seen__v = LAST_DAYS", "INCORRECT_QUERY_SYNTAX_ERROR", "LAST_DAYS:1"),
        (
            "SELECT id FROM person__v WHERE seen__v = LAST_DAYS:0",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "LAST_DAYS:1",
        ),
        (
            "SELECT id FROM person__v WHERE seen__v = YEARS_AGO:9999",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "calendar",
        ),
        (
            "SELECT id FROM person__v WHERE seen__v CONTAINS (TODAY)",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "date literals",
        ),
        (
            "SELECT id FROM person__v WHERE id IN (SELECT id FROM team__v)",
            "INVALID_DATA",
            "inbound relationship",
        ),
        (
            "SELECT id FROM person__v WHERE id IN (SELECT id FROM team__vr)",
            "INVALID_DATA",
            "inbound relationship",
        ),
        ("SELECT id FROM person__v FIND ('')", "INCORRECT_QUERY_SYNTAX_ERROR", "1 to 250"),
        ("SELECT id FROM person__v FIND ('--')", "INCORRECT_QUERY_SYNTAX_ERROR", "needs a word"),
        ("SELECT id FROM person__v FIND ('\"open')", "INCORRECT_QUERY_SYNTAX_ERROR", "not closed"),
        (
            "SELECT id FROM person__v FIND ('a' SCOPE CONTENT)",
            "INCORRECT_QUERY_SYNTAX_ERROR",
            "documents only",
        ),
        ("SELECT id FROM person__v FIND ('a' SCOPE tags__v)", "INVALID_DATA", "SCOPE does not support"),
        ("SELECT id FROM person__v WHERE age__v = 1 FIND ('a')", "INCORRECT_QUERY_SYNTAX_ERROR", "FIND"),
        ("SELECT id FROM documents", "INVALID_DATA", "not a queryable object"),
        ("SELECT FROM x", "INCORRECT_QUERY_SYNTAX_ERROR", "expected a field but found [FROM]"),
        ("SELECT id", "INCORRECT_QUERY_SYNTAX_ERROR", "expected [FROM] but found [the end]"),
        ("SELECT count() FROM person__v", "INCORRECT_QUERY_SYNTAX_ERROR", "[count] is not supported"),
        ("SELECT id FROM person__v WHERE name__v = Ana", "INCORRECT_QUERY_SYNTAX_ERROR", "single quotes"),
        ("SELECT id FROM person__v PAGESIZE 0", "INCORRECT_QUERY_SYNTAX_ERROR", "PAGESIZE needs"),
        ("SELECT id FROM person__v; DROP", "INCORRECT_QUERY_SYNTAX_ERROR", "cannot read [; DROP]"),
        ("SELECT height__v FROM person__v", "ATTRIBUTE_NOT_SUPPORTED", "[height__v]"),
        ("SELECT id FROM nobody__v", "INVALID_DATA", "[nobody__v]"),
        ("SELECT id FROM person__v WHERE age__v = 'old'", "INVALID_DATA", "does not fit"),
        ("SELECT id FROM person__v WHERE born__v > 'soon'", "INVALID_DATA", "write YYYY-MM-DD"),
        ("SELECT id, (SELECT id FROM no__vr) FROM team__v", "INVALID_DATA", "is not an inbound relationship"),
    ],
)
def test_refusals_say_what_is_wrong(text: str, error: str, words: str) -> None:
    with pytest.raises(VaultError) as refused:
        tree = parse(text)
        assert isinstance(tree, Select)
        answers().select(tree)
    assert refused.value.type == error
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        ("('ana')", "P1"),
        ("('calls before')", "P1"),
        ("('calls samples')", ""),  # strict: every word
        ("('calls OR samples')", "P1 P3"),
        ("('calls AND noon')", "P1"),
        ("('samples nobody OR nothing')", "P3"),  # not strict: words without an operator are joined by OR
        ("('calls AND nobody OR samples')", "P3"),  # AND before OR
        ("('samp')", "P3"),  # a wildcard is added
        ("('\"samp\"')", ""),
        ("('\"calls before\"')", "P1"),
        ("('\"before calls\"')", ""),
        ("('*alls')", "P1"),
        ("('c*ls')", "P1"),
        ("('\\*alls')", ""),
        ("(NOT 'calls')", "P2 P3"),
        ("('day' SCOPE name__v)", "P2"),
        ("('day' SCOPE notes__v)", ""),
        ("('red' SCOPE team__v)", "P1"),
        ("('red' SCOPE team__vr.name__v)", "P1"),
        ("('b')", "P1 P2 P3"),  # picklist values are searched, words are completed
        ("('ana' OR 'samples' SCOPE notes__v)", "P1 P3"),
        ("('ana' AND ('nobody' OR 'noon' SCOPE ALL))", "P1"),
        ("('calls') WHERE age__v = 7", ""),
    ],
)
def test_find(find: str, expected: str) -> None:
    tree = parse(f"SELECT id FROM person__v FIND {find}")
    assert isinstance(tree, Select)
    assert " ".join(row["id"] for row in answers().select(tree)) == expected
    assert str(tree.find_text) in find


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("SELECT id FROM persons__vr", "T1 T2"),
        ("SELECT id FROM persons__vr WHERE age__v > 7", "T1"),
        ("SELECT name__v FROM persons__vr WHERE name__v = 'nobody'", ""),
        ("SELECT id FROM persons__vr FIND ('ben')", "T2"),
    ],
)
def test_an_inner_join_keeps_parents_with_matching_children(inner: str, expected: str) -> None:
    tree = parse(f"SELECT id FROM team__v WHERE id IN ({inner})")
    assert isinstance(tree, Select)
    assert " ".join(row["id"] for row in answers().select(tree)) == expected


def test_an_alias_names_a_value_and_can_be_used_in_where_and_order_by() -> None:
    text = (
        "SELECT name__v AS who, LONGTEXT(notes__v) AS whole, notes__v, TRIM(tags__v) AS short, "
        "TOLABEL(tags__v), team__vr.name__v AS team FROM person__v WHERE who != 'Cid' ORDER BY who DESC"
    )
    tree = parse(text)
    assert isinstance(tree, Select)
    rows = answers().select(tree)
    assert [row["who"][:3] for row in rows] == ["ben", "Ana"]
    assert (len(rows[1]["whole"]), len(rows[1]["notes__v"])) == (327, 250)
    assert (rows[1]["short"], rows[1]["tags__v"], rows[1]["team"]) == (["a", "b"], ["A", "B"], "Red")


def test_a_subquery_is_ordered_and_limited_by_its_own_clauses() -> None:
    tree = parse("SELECT id, (SELECT id FROM persons__vr ORDER BY id DESC MAXROWS 1) FROM team__v")
    assert isinstance(tree, Select)
    assert [row["persons__vr"]["responseDetails"]["total"] for row in answers().select(tree)] == [1, 1]


def test_show_lists_only_names_that_match() -> None:
    engine = answers()
    assert engine.show(parse("SHOW TARGETS LIKE '%eam__v'")) == [
        {"name": "team__v", "label": "Team", "label_plural": "Teams"}
    ]
    assert engine.show(parse("SHOW FIELDS FROM person__v LIKE 'team%'")) == [
        {"name": "team__v", "label": "Team", "type": "ObjectReference", "relationship_name": "team__vr"}
    ]
    assert engine.show(parse("SHOW RELATIONSHIPS FROM team__v")) == [
        {"name": "persons__vr", "target": "person__v", "type": "inbound"}
    ]


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(VaultError, match="nested too deeply"):
        parse("SELECT id FROM person__v WHERE " + "(" * 20_000)


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_read_or_refused(tail: str) -> None:
    for text in (tail, f"SELECT id FROM person__v WHERE {tail}", f"SELECT {tail} FROM person__v"):
        try:
            tree = parse(text)
            if isinstance(tree, Select):
                answers().select(tree)
        except VaultError:
            pass


@given(st.text(max_size=30))
def test_any_text_can_be_compared_with(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    tree = parse(f"SELECT id FROM person__v WHERE name__v = '{quoted}'")
    assert isinstance(tree, Select)
    assert isinstance(tree.where, Compare)
    assert tree.where.values == (value,)


def long_texts() -> QueryEngine:
    names = {"id": "ID", "plain__v": "String", "long__v": "LongText", "rich__v": "RichText"}
    fields = {name: Field(name=name, type=kind) for name, kind in names.items()}  # type: ignore[arg-type]
    row = {"id": "N1", "plain__v": "p" * 40_000, "long__v": "<b>" + "日" * 40_000}
    row["rich__v"] = "<p>Less &lt; <b>more</b></p>" + "r" * 40_000
    return QueryEngine({"note__v": Object(name="note__v", fields=fields, rows=lambda: iter([row]))})


def select_notes(columns: str) -> dict[str, Any]:
    tree = parse(f"SELECT {columns} FROM note__v")
    assert isinstance(tree, Select)
    return long_texts().select(tree)[0]


def test_long_and_rich_text_are_cut_without_the_function_of_their_type() -> None:
    cut = select_notes("plain__v, long__v, rich__v")
    assert {name: len(text) for name, text in cut.items()} == {
        "plain__v": 40_000,
        "long__v": 250,
        "rich__v": 250,
    }
    assert cut["rich__v"].startswith("Less < morerr")
    whole = select_notes("LONGTEXT(long__v), RICHTEXT(rich__v), LONGTEXT(rich__v) AS text")
    assert [len(text) for text in whole.values()] == [40_003, 40_028, 40_011]
    assert whole["rich__v"].startswith("<p>Less &lt; <b>")
