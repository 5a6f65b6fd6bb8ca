"""Documents as systems return them: the inner errors become rows, successes and envelopes do not."""

import json
from pathlib import Path
from typing import ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import IngestError, MappingInvalid
from ingest.readers.detect import open_sources
from ingest.readers.json_documents import read_json_documents
from ingest.readers.json_text import NotJson, parse_documents
from ingest.readers.wrapper_files import builtin_wrappers, parse_wrapper, read_wrapper
from tests.support.examples import examples

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.json"))
WRAPPERS = Path(__file__).parents[3] / "ingest" / "readers" / "wrappers"


def rows_of(sources):
    return [
        {name: cell for name, cell in row.cells.items() if cell} for source in sources for row in source.rows
    ]


def read(document, **options):
    return rows_of(read_json_documents([document], name="answer.json", **options))


def shared(row, expected):
    return {name: row.get(name) for name in expected}


def test_every_wrapper_has_a_document():
    assert {path.stem for path in DOCUMENTS} == {path.stem for path in WRAPPERS.glob("*.toml")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_the_rows_of_a_document_are_its_inner_errors(path):
    case = json.loads(path.read_text("utf-8"))
    rows = read(case["document"])
    assert [shared(row, expected) for row, expected in zip(rows, case["expected"], strict=False)] == case[
        "expected"
    ]
    assert len(rows) == len(case["expected"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_json_lines_of_documents_have_the_same_rows(path, tmp_path):
    case = json.loads(path.read_text("utf-8"))
    if not isinstance(case["document"], dict) or path.stem == "list_of_results":
        pytest.skip("such a document is a list, or has its list anywhere: it cannot be a line")
    lines = tmp_path / "lines.json"
    lines.write_text("\n\n".join([json.dumps(case["document"])] * 3) + "\n", "utf-8")
    rows = rows_of(open_sources(lines))
    expected = case["expected"] * 3
    assert [shared(row, each) for row, each in zip(rows, expected, strict=False)] == expected
    assert len(rows) == len(expected)


def test_credentials_in_a_http_archive_are_not_read():
    document = json.loads((Path(__file__).parent / "documents" / "har.json").read_text("utf-8"))["document"]
    assert "SECRET" in json.dumps(document)
    assert "SECRET" not in json.dumps(read(document))


class TestSearch:
    """Documents of no known system: the list that looks most like errors is read, and its path is stated."""

    RECORDS = (
        {"when": "2026-05-04T08:00:00Z", "errorText": "Lot is expired", "errorCode": "E1"},
        {"when": "2026-05-04T08:00:01Z", "errorText": "Visit is locked", "errorCode": "E2"},
    )

    def test_the_path_of_the_list_is_stated(self):
        (source,) = read_json_documents(
            [{"meta": {"n": 2}, "x": {"y": {"z": list(self.RECORDS)}}}], name="a.json"
        )
        assert rows_of([source]) == list(self.RECORDS)
        assert "read the 2 records at x.y.z[]" in source.notes

    def test_errors_in_groups_have_the_device_and_the_user_of_their_group(self):
        document = {
            "devices": [
                {"deviceId": "PAD-1", "user": "u1", "problems": list(self.RECORDS[:1])},
                {"deviceId": "PAD-2", "user": "u2", "problems": list(self.RECORDS[1:])},
            ]
        }
        assert [(row["deviceId"], row["user"], row["errorCode"]) for row in read(document)] == [
            ("PAD-1", "u1", "E1"),
            ("PAD-2", "u2", "E2"),
        ]

    def test_other_lists_are_not_read(self):
        document = {
            "countries": [{"iso": "DE"}],
            "failures": list(self.RECORDS),
            "links": [{"rel": "self", "href": "x"}],
        }
        assert read(document) == list(self.RECORDS)

    def test_two_lists_of_errors_are_two_sources(self):
        sources = read_json_documents(
            [{"uploads": list(self.RECORDS[:1]), "downloads": list(self.RECORDS[1:])}], name="a.json"
        )
        assert {source.name for source in sources} == {"a.json#uploads[]", "a.json#downloads[]"}


class TestJsonText:
    RECORDS: ClassVar = [
        {"message": "It's // not a comment, [] }", "ok": None, "fields": ["a", "b"], "n": 1.5, "flag": True}
    ]

    @pytest.mark.parametrize(
        "write",
        [
            lambda records: "\ufeff" + json.dumps(records),
            lambda records: (
                "// from the console\n/* more\nlines */ "
                + json.dumps(records, indent=1).replace("}\n", "},\n")
            ),
            repr,
            lambda records: json.dumps(records).replace("]}", ",],}", 1),
            lambda records: json.dumps(records[0]) + "\n\n",
            lambda records: "\x1e" + json.dumps(records[0]) + "\n",
        ],
    )
    def test_almost_json_is_read_alike(self, write):
        (document,) = parse_documents(write(self.RECORDS))
        assert document in (self.RECORDS, self.RECORDS[0])

    def test_documents_that_follow_each_other_are_read(self):
        assert parse_documents(json.dumps({"a": 1}, indent=2) + "\n" + json.dumps({"a": 2}, indent=2)) == [
            {"a": 1},
            {"a": 2},
        ]

    def test_ordered_dictionaries_of_python_are_read(self):
        assert parse_documents("[OrderedDict([('success', False), ('errors', [])])]") == [
            [{"success": False, "errors": []}]
        ]

    @pytest.mark.parametrize(
        "text", ["[1, 2", "{'a': __import__('os')}", "{" * 100_000, "[" * 100_000 + "'", "", "nonsense"]
    )
    def test_other_text_is_an_error(self, text):
        with pytest.raises(NotJson):
            parse_documents(text)


class TestWrapperFiles:
    CUSTOM = """
        title = "Field service box"
        when = "boxes[?faults]"
        records = "boxes"
        each = "faults"
        [columns]
        message = "error.what"
        device_id = "record.serial"
    """
    DOCUMENT: ClassVar = {
        "boxes": [{"serial": "B1", "faults": [{"what": "No route to host"}]}, {"serial": "B2", "faults": []}]
    }

    def test_a_custom_wrapper_reads_its_documents(self):
        (row,) = read(self.DOCUMENT, wrappers=[parse_wrapper(self.CUSTOM, "box.toml")])
        assert (row["message"], row["device_id"]) == ("No route to host", "B1")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("title = 'x'", "when"),
            ("title = 'x'\nwhen = 'a['", "JMESPath"),
            ("title = 'x'\nwhen = 'a'\ncolour = 1", "colour"),
            ("= ", "TOML"),
        ],
    )
    def test_an_invalid_wrapper_is_an_error_with_its_reason(self, text, reason):
        with pytest.raises(MappingInvalid, match=reason):
            parse_wrapper(text, "broken.toml")

    def test_a_missing_wrapper_is_an_error(self, tmp_path):
        with pytest.raises(MappingInvalid, match=r"missing\.toml"):
            read_wrapper(tmp_path / "missing.toml")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = ["errors", "data", "message", "level", "result", "records", "_raw", "error", "responseStatus"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
MESSAGES = st.text("abc xyzä\"'\\", min_size=1).filter(str.strip)
FAULTS = st.lists(
    st.fixed_dictionaries({"errorMessage": MESSAGES, "errorCode": st.sampled_from(["A_1", "B_2"])}),
    min_size=1, max_size=6,
)  # fmt: skip
ENVELOPES = {
    "list": lambda records: records,
    "records": lambda records: {"records": records, "done": True, "totalSize": len(records)},
    "value": lambda records: {"@odata.context": "x", "value": records},
    "d.results": lambda records: {"d": {"results": records}},
    "vault": lambda records: {"responseStatus": "SUCCESS", "data": records},
    "data": lambda records: {"data": records, "page": 1},
    "items": lambda records: {"items": records, "total": len(records)},
    "deep": lambda records: {"a": {"b": [{"c": records}]}},
}
FORMS = {
    "compact": json.dumps,
    "indented": lambda document: json.dumps(document, indent=2),
    "printed by Python": repr,
    "with comments": lambda document: "/* saved */\n" + json.dumps(document, indent=1) + " // end",
}


@given(FAULTS, st.sampled_from(sorted(ENVELOPES)), st.sampled_from(sorted(FORMS)))
@settings(max_examples=examples(100), deadline=None)
def test_records_in_any_envelope_and_form_are_the_same_rows(records, envelope, form):
    documents = parse_documents(FORMS[form](ENVELOPES[envelope](records)))
    assert rows_of(read_json_documents(documents, name="a.json")) == records


@given(VALUES)
@settings(max_examples=examples(200), deadline=None)
def test_random_json_never_crashes(value):
    for source in read_json_documents([value], name="a.json"):
        for row in source.rows:
            assert row.problem or all(cell is None or isinstance(cell, str) for cell in row.cells.values())


@given(st.sampled_from(DOCUMENTS), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_a_truncated_or_damaged_document_never_crashes(tmp_path_factory, path, data):
    text = json.dumps(json.loads(path.read_text("utf-8"))["document"])
    cut = data.draw(st.integers(1, len(text)))
    damaged = text[:cut] + data.draw(TEXTS)
    file = tmp_path_factory.mktemp("damaged") / "a.json"
    file.write_text(damaged, "utf-8")
    try:
        rows_of(part for part in open_sources(file) if hasattr(part, "rows"))
    except IngestError as error:
        assert error.next_step


@pytest.mark.parametrize("builtin", builtin_wrappers(), ids=lambda wrapper: wrapper.title)
@given(value=VALUES)
@settings(max_examples=examples(5), deadline=None)
def test_a_wrapper_accepts_any_value(builtin, value):
    builtin.when.search(value)
