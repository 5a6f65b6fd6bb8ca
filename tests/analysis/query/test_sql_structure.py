"""Every form of one query is filtered alike, whatever its joins, quotes, comments and letter case."""

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from analysis import METRICS
from analysis.query.filters import RELATIONS, Filters
from analysis.query.runner import filtered_query, run_query
from analysis.query.sql_structure import sql_structure, with_relations

FILTERS = Filters.of(platform="iPad", since="2026-03-08")

JOIN = "SELECT count(*) FROM sync AS s JOIN error AS e ON e.user_id = s.user_id AND e.phase = 'upload'"
JOINS = {
    "explicit join": JOIN,
    "comma join": "SELECT count(*) FROM sync s, error e WHERE e.user_id = s.user_id AND e.phase = 'upload'",
    "comma join without aliases": (
        "SELECT count(*) FROM sync,error WHERE error.user_id = sync.user_id AND error.phase = 'upload'"
    ),
    "quoted": JOIN.replace("sync AS", '"sync" AS').replace("error AS", '"error" AS'),
    "quoted capitals": JOIN.replace("sync AS", '"Sync" AS').replace("error AS", '"ERROR" AS'),
    "capitals": JOIN.upper().replace("'UPLOAD'", "'upload'"),
    "using": "SELECT count(*) FROM sync JOIN error USING (user_id) WHERE error.phase = 'upload'",
    "from first": "FROM sync s JOIN error e USING (user_id) SELECT count(*) WHERE e.phase = 'upload'",
    "subquery": (
        "SELECT count(*) FROM (SELECT user_id FROM sync) AS s, (SELECT * FROM error) AS e"
        " WHERE e.user_id = s.user_id AND e.phase = 'upload'"
    ),
    "with": (
        "WITH s AS (SELECT user_id FROM sync), e AS (FROM error WHERE phase = 'upload')"
        " SELECT count(*) FROM s JOIN e USING (user_id)"
    ),
    "with recursive": (
        "WITH RECURSIVE s AS (SELECT user_id FROM sync) SELECT count(*) FROM s JOIN error USING (user_id)"
        " WHERE phase = 'upload'"
    ),
    "a WITH of the same names": (
        "WITH sync AS (SELECT user_id FROM sync), error AS (SELECT * FROM error WHERE phase = 'upload')"
        " SELECT count(*) FROM sync JOIN error USING (user_id)"
    ),
    "comments": (
        "-- FROM device\nSELECT count(*) /* it's */ FROM -- the syncs\nsync s,/* a */error e\n"
        "WHERE e.user_id = s.user_id AND e.phase = 'upload' -- WITH\n;"
    ),
    "a comment mark in a string": JOIN + " AND coalesce(e.message, '') NOT LIKE '%--/*%' -- ' no string",
    "leading comment before WITH": (
        "/* é */ WITH e AS (SELECT * FROM error) SELECT count(*) FROM e, sync s"
        " WHERE e.user_id = s.user_id AND e.phase = 'upload'"
    ),
}


def _answer(store, sql):
    return run_query(store, sql, FILTERS).iloc[0, 0]


def test_filters_change_the_answer_of_the_join(stormy_store):
    everything = stormy_store.execute(JOIN).fetchall()[0][0]
    assert 0 < _answer(stormy_store, JOIN) < everything


@pytest.mark.parametrize("form", JOINS)
def test_every_form_of_a_query_has_the_same_answer(stormy_store, form):
    assert _answer(stormy_store, JOINS[form]) == _answer(stormy_store, JOIN)


@pytest.mark.parametrize("name", ["main.error", '"main"."error"', "MAIN.Error"])
def test_a_relation_of_the_schema_main_is_not_filtered(stormy_store, name):
    everything = stormy_store.execute("SELECT count(*) FROM error").fetchall()[0][0]
    assert _answer(stormy_store, f"SELECT count(*) FROM {name}") == everything


def test_a_pivot_is_filtered(stormy_store):
    sql = "FROM error PIVOT (count(*) FOR phase IN ('upload', 'download') GROUP BY platform)"
    assert list(run_query(stormy_store, sql, FILTERS)["platform"]) == ["iPad"]


def test_a_pivot_without_a_list_is_refused_rather_than_unfiltered(stormy_store):
    with pytest.raises(duckdb.InvalidInputException):
        run_query(stormy_store, "PIVOT error ON phase USING count(*) GROUP BY platform", FILTERS)


@pytest.mark.parametrize(
    ("sql", "is_read"),
    [
        ("SELECT as_of FROM reference", True),
        ('SELECT max(r.as_of) FROM sync, "Reference" r', True),
        ("SELECT reference FROM (SELECT 1 AS reference)", False),
        ("SELECT ', reference' FROM sync -- FROM reference", False),
        ("WITH reference AS (SELECT 1 AS as_of) SELECT as_of FROM reference", False),
    ],
)
def test_the_reference_time_is_bound_only_if_the_query_reads_it(stormy_store, sql, is_read):
    assert ("as_of" in filtered_query(sql, FILTERS)[1]) is is_read
    assert len(run_query(stormy_store, f"SELECT * FROM ({sql}\n) LIMIT 1", FILTERS)) == 1


def test_a_syntax_error_is_reported_by_the_database(stormy_store):
    with pytest.raises(Exception, match="syntax error"):
        run_query(stormy_store, "SELEC 1 FROM sync", FILTERS)


_SPACES = st.sampled_from([" ", "\n", "\t ", " /* , error */ ", " -- FROM error e\n", "/**/"])
_QUOTES = st.sampled_from(["{0}", '"{0}"', '"{1}"', "{1}"])
_SHAPES = (
    "SELECT 1 FROM~{0}~AS~s~,~{1}~t",
    "SELECT~s.outcome~FROM~{0}~s~CROSS~JOIN~{1}",
    "WITH~a~AS~(SELECT~*~FROM~{0}~)~SELECT~1~FROM~a~WHERE~EXISTS~(FROM~{1}~)",
    "SELECT~'FROM~pending_record',~(SELECT~max(1)~FROM~{1})~FROM~{0}",
    "FROM~{0}~UNION~ALL~BY~NAME~(SELECT~*~FROM~(SELECT~1~FROM~{1}))",
)


@given(st.data())
def test_the_relations_of_any_form_are_recognized(data):
    first, second = (data.draw(st.sampled_from(RELATIONS)) for _ in range(2))
    names = [data.draw(_QUOTES).format(name, name.title()) for name in (first, second)]
    shape = data.draw(st.sampled_from(_SHAPES))
    sql = "".join(data.draw(_SPACES) if sign == "~" else sign for sign in shape).format(*names)
    assert sql_structure(sql).relations == {first, second}
    combined = sql_structure(with_relations(sql, dict.fromkeys({first, second}, "SELECT 1 AS outcome")))
    assert combined.defined >= {first, second} and not combined.relations


@pytest.mark.parametrize("name", METRICS)
def test_another_parser_finds_the_same_relations(name):
    sql = METRICS[name].sql
    tables = {
        source.name.lower()
        for scope in traverse_scope(sqlglot.parse_one(sql, read="duckdb"))
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and not source.db
    }
    assert sql_structure(sql).relations == tables
