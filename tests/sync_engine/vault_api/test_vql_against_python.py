"""Random queries over random tables, compared with a plain evaluation in Python."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync_engine.vault_api.objects import Field, Object
from sync_engine.vault_api.vql.engine import QueryEngine
from sync_engine.vault_api.vql.parser import parse
from sync_engine.vault_api.vql.tree import Select
from tests.support.examples import examples

Row = dict[str, Any]
Clause = tuple[str, Callable[[Row], bool]]
NOW = datetime(2024, 2, 29, 13, 30, tzinfo=UTC)
WORDS = ("alpha", "Beta", "be%ta", "it's", "back\\slash", "line\nfeed", "")
NAMES = ("one__v", "two__v", "three__v")
FIELDS = (
    Field(name="id", type="ID"),
    Field(name="name__v", type="String"),
    Field(name="size__v", type="Number"),
    Field(name="open__v", type="Boolean"),
    Field(name="day__v", type="Date"),
    Field(name="at__v", type="DateTime"),
    Field(name="kinds__v", type="Picklist", multi_value=True),
    Field(name="parent__v", type="Object", to="parent__v"),
)
SYMBOLS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
}


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


days = st.integers(-800, 800).map(lambda n: NOW.date() + timedelta(days=n))
moments = st.integers(-800 * 24, 800 * 24).map(
    lambda hours: NOW.replace(microsecond=0) + timedelta(hours=hours)
)
rows_of_table = st.lists(
    st.fixed_dictionaries(
        {
            "name__v": st.none() | st.sampled_from(WORDS),
            "size__v": st.none() | st.integers(-3, 3) | st.sampled_from([0.5, 2.25]),
            "open__v": st.none() | st.booleans(),
            "day__v": st.none() | days.map(str),
            "at__v": st.none() | moments.map(stamp),
            "kinds__v": st.none() | st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
            "parent__v": st.none() | st.sampled_from(["A1", "A2"]),
        }
    ),
    max_size=12,
).map(lambda rows: [{"id": f"R{n:02d}"} | row for n, row in enumerate(rows)])
PARENTS = [{"id": "A1", "name__v": "Ana"}, {"id": "A2", "name__v": None}, {"id": "A3", "name__v": "Ann"}]


@st.composite
def symbolic(draw: st.DrawFn) -> Clause:
    """A comparison with =, !=, <, <=, > or >=, of any type, with null for = and !=."""
    name, literals = draw(
        st.sampled_from(
            [
                ("name__v", st.sampled_from(WORDS).map(lambda text: (quote(text), text))),
                ("size__v", st.integers(-3, 3).map(lambda n: (str(n), n))),
                ("day__v", days.map(lambda day: (quote(str(day)), str(day)))),
                ("at__v", moments.map(lambda at: (quote(stamp(at)), stamp(at)))),
                ("at__v", days.map(lambda day: (quote(str(day)), f"{day}T00:00:00.000Z"))),
            ]
        )
    )
    sign = draw(st.sampled_from(sorted(SYMBOLS)))
    if sign in ("=", "!="):
        literals |= st.just(("null", None))
    text, wanted = draw(literals)
    return f"{name} {sign} {text}", lambda row: SYMBOLS[sign](row[name], wanted)


@st.composite
def of_lists(draw: st.DrawFn) -> Clause:
    """A picklist matches if any value matches; it is unequal if none is equal."""
    name, sign = draw(st.sampled_from(NAMES)), draw(st.sampled_from(["=", "!="]))
    equal = sign == "="
    return f"kinds__v {sign} '{name}'", lambda row: (name in (row["kinds__v"] or [])) is equal


@st.composite
def of_flags(draw: st.DrawFn) -> Clause:
    text, wanted = draw(st.sampled_from([("true", True), ("false", False), ("null", None)]))
    return f"open__v = {text}", lambda row: row["open__v"] is wanted


@st.composite
def contains(draw: st.DrawFn) -> Clause:
    wanted = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
    return f"name__v CONTAINS ({', '.join(map(quote, wanted))})", lambda row: row["name__v"] in wanted


@st.composite
def between(draw: st.DrawFn) -> Clause:
    low, high = draw(st.integers(-3, 3)), draw(st.integers(-3, 3))
    return (
        f"size__v BETWEEN {low} AND {high}",
        lambda row: row["size__v"] is not None and low <= row["size__v"] <= high,
    )


@st.composite
def like(draw: st.DrawFn) -> Clause:
    start = draw(st.sampled_from(["be", "Be", "it's", "back\\", "alpha"]))
    fold = draw(st.booleans())
    pattern = quote(start).removesuffix("'") + "%'"
    path = "CASEINSENSITIVE(name__v)" if fold else "name__v"
    prepare: Callable[[str], str] = str.casefold if fold else str
    return (
        f"{path} LIKE {pattern}",
        lambda row: row["name__v"] is not None and prepare(row["name__v"]).startswith(prepare(start)),
    )


@st.composite
def date_range(draw: st.DrawFn) -> Clause:
    """The documented ranges, counted in days."""
    count = draw(st.integers(1, 40))
    sign = draw(st.sampled_from(["=", "!=", "<", ">"]))
    name, first, last = draw(
        st.sampled_from(
            [
                ("TODAY", 0, 0),
                (f"DAYS_AGO:{count}", -count, -count),
                (f"NEXT_DAYS:{count}", 0, count),
                (f"LAST_DAYS:{count}", -count, 0),
                ("THIS_MONTH", -28, 0),  # the 29th of February is the last day of its month
                ("LAST_MONTHS:1", -59, -29),
                ("NEXT_MONTHS:1", 1, 31),
                ("MONTHS_AGO:2", -90, -60),
                ("THIS_QUARTER", -59, 31),
                ("THIS_YEAR", -59, 306),
                ("YEARS_AGO:1", -424, -60),
            ]
        )
    )
    low, high = str(NOW.date() + timedelta(days=first)), str(NOW.date() + timedelta(days=last))

    def matches(row: Row) -> bool:
        value = row["day__v"]
        if value is None:
            return sign == "!="
        inside = low <= value <= high
        return {"=": inside, "!=": not inside, "<": value < low, ">": value > high}[sign]

    return f"day__v {sign} {name}", matches


lookups = st.sampled_from(
    [
        (
            "parent__vr.name__v = 'Ana'",
            lambda row: row["parent__v"] == "A1",
        ),
        ("parent__vr.name__v = null", lambda row: row["parent__v"] != "A1"),
    ]
)


def joined(parts: st.SearchStrategy[Clause]) -> st.SearchStrategy[Clause]:
    def build(word: str, clauses: list[Clause]) -> Clause:
        combine = all if word == "AND" else any
        text = f" {word} ".join(f"({text})" for text, _ in clauses)
        return text, lambda row: combine(test(row) for _, test in clauses)

    return st.builds(build, st.sampled_from(["AND", "OR"]), st.lists(parts, min_size=2, max_size=3))


conditions = st.recursive(
    st.one_of(symbolic(), of_lists(), of_flags(), contains(), between(), like(), date_range(), lookups),
    joined,
    max_leaves=5,
)
orders = st.lists(
    st.tuples(st.sampled_from(["name__v", "size__v", "day__v", "at__v"]), st.booleans()),
    max_size=3,
    unique_by=lambda order: order[0],
)


def make_engine(rows: list[Row]) -> QueryEngine:
    names = (Field(name="id", type="ID"), Field(name="name__v", type="String"))
    child = Object(name="child__v", fields={each.name: each for each in FIELDS}, rows=lambda: iter(rows))
    parent = Object(
        name="parent__v",
        fields={each.name: each for each in names},
        rows=lambda: iter(PARENTS),
        inbound={"childs__vr": ("child__v", "parent__v")},
    )
    return QueryEngine({"child__v": child, "parent__v": parent}, NOW.timestamp())


def run(rows: list[Row], text: str) -> list[Row]:
    tree = parse(text)
    assert isinstance(tree, Select)
    return make_engine(rows).select(tree)


def compare_rows(order: list[tuple[str, bool]]) -> Callable[[Row, Row], int]:
    def compare(one: Row, other: Row) -> int:
        for name, descending in order:
            a, b = one[name], other[name]
            if a == b:
                continue
            if a is None or b is None:  # documented: empty fields are last in both directions
                return 1 if a is None else -1
            return (1 if a > b else -1) * (-1 if descending else 1)
        return 0

    return compare


@settings(max_examples=examples(400), deadline=None)
@given(rows=rows_of_table, condition=conditions)
def test_conditions_select_what_python_selects(rows: list[Row], condition: Clause) -> None:
    text, test = condition
    assert run(rows, f"SELECT id FROM child__v WHERE {text}") == [
        {"id": row["id"]} for row in rows if test(row)
    ]


@settings(max_examples=examples(200), deadline=None)
@given(
    rows=rows_of_table,
    order=orders,
    skip=st.none() | st.integers(0, 15),
    most=st.none() | st.integers(1, 15),
)
def test_order_skip_and_maxrows_follow_python(
    rows: list[Row], order: list[tuple[str, bool]], skip: int | None, most: int | None
) -> None:
    text = "SELECT id FROM child__v"
    if order:
        text += " ORDER BY " + ", ".join(f"{name} {'DESC' if down else 'ASC'}" for name, down in order)
    text += "" if skip is None else f" SKIP {skip}"
    text += "" if most is None else f" MAXROWS {most}"
    expected = sorted(rows, key=cmp_to_key(compare_rows(order)))[skip or 0 :]
    assert [row["id"] for row in run(rows, text)] == [row["id"] for row in expected][: most or None]


@settings(max_examples=examples(150), deadline=None)
@given(rows=rows_of_table, condition=conditions)
def test_an_inner_join_keeps_the_parents_of_matching_children(rows: list[Row], condition: Clause) -> None:
    text, test = condition
    results = run(rows, f"SELECT id FROM parent__v WHERE id IN (SELECT id FROM childs__vr WHERE {text})")
    parents = {row["parent__v"] for row in rows if test(row)}
    assert [row["id"] for row in results] == [each["id"] for each in PARENTS if each["id"] in parents]


@settings(max_examples=examples(150), deadline=None)
@given(rows=rows_of_table, condition=conditions)
def test_a_subquery_holds_the_matching_children(rows: list[Row], condition: Clause) -> None:
    text, test = condition
    for parent in run(rows, f"SELECT id, (SELECT id FROM childs__vr WHERE {text}) FROM parent__v"):
        expected = [{"id": row["id"]} for row in rows if row["parent__v"] == parent["id"] and test(row)]
        assert parent["childs__vr"]["data"] == expected
