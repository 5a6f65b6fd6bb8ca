"""The WHERE subset: what it means in Python is what it means in SQL, and nonsense is refused in words."""

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_engine.where_clause import InvalidClause, matches, parse, to_sql

FIELDS = ["a__v", "b__v"]
LITERALS = st.one_of(st.integers(-3, 3), st.sampled_from(["x", "y", "xy", ""]), st.booleans(), st.none())


def text_of(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if isinstance(value, str) else str(value)


@st.composite
def comparisons(draw):
    field = draw(st.sampled_from(FIELDS))
    kind = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "CONTAINS", "LIKE"]))
    if kind == "CONTAINS":
        values = draw(st.lists(LITERALS.filter(lambda v: v is not None), min_size=1, max_size=3))
        return f"{field} CONTAINS ({', '.join(map(text_of, values))})"
    if kind == "LIKE":
        return f"{field} LIKE '{draw(st.sampled_from(['x%', '%y', 'x', '%', 'x[%']))}'"
    return f"{field} {kind} {text_of(draw(LITERALS))}"


CLAUSES = st.recursive(
    comparisons(),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
        lambda t: f"({t[0]}) {t[1]} ({t[2]})"
    ),
    max_leaves=4,
)
DOCS = st.dictionaries(st.sampled_from(FIELDS), LITERALS)
DB = sqlite3.connect(":memory:")


@given(CLAUSES, DOCS)
def test_python_and_sql_agree(clause, doc):
    condition = parse(f"WHERE {clause}", {})
    sql, values = to_sql(condition)
    by_sql = DB.execute(f"SELECT {sql} FROM (SELECT ? AS doc)", [*values, json.dumps(doc)]).fetchone()[0]
    assert bool(by_sql) == matches(condition, doc, lambda _, __: None)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_words(text):
    try:
        parse(text, {})
    except InvalidClause as bad:
        assert str(bad)


@pytest.mark.parametrize(
    "clause",
    [
        "a__v",
        "a__v =",
        "a__v = 'x",
        "a__v = @@NOBODY@@",
        "(a__v = 1",
        "a__v = 1 a__v = 2",
        "= 1",
        "a__v LIKE",
    ],
)
def test_what_is_outside_the_subset_is_refused(clause):
    with pytest.raises(InvalidClause):
        parse(clause, {})


def test_an_empty_clause_holds_for_every_record():
    assert parse("  ", {}) is None
    assert parse("WHERE", {}) is None


def test_tokens_are_filled_in():
    clause = "application_profile__v = @@USER_APP_PROFILE_ID@@ OR application_profile__v = null"
    condition = parse(clause, {"@@USER_APP_PROFILE_ID@@": "p1"})
    assert matches(condition, {"application_profile__v": "p1"}, lambda _, __: None)
    assert matches(condition, {}, lambda _, __: None)
    assert not matches(condition, {"application_profile__v": "p2"}, lambda _, __: None)


def test_a_path_looks_through_a_reference():
    condition = parse("account__vr.status__v = 'active__v'", {})
    others = {"V1": {"status__v": "active__v"}}
    assert matches(condition, {"account__v": "V1"}, lambda _, one: others.get(one))
    assert not matches(condition, {"account__v": "V2"}, lambda _, one: others.get(one))
    assert not matches(condition, {}, lambda _, one: others.get(one))
