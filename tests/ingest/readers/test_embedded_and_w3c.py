"""Log records in the cells of a table, and logs in the W3C format."""

import json

from ingest.readers.detect import open_sources

W3C = """#Software: IIS
#Fields: date time cs-method cs-uri-stem cs-username sc-status
2026-03-02 08:00:01 PUT /visits/3 u5 409
2026-03-02 08:00:02 GET /visits/3 - 200
2026-03-02 08:00:03 PUT
2026-03-02 08:00:04 PUT /visits/4 - 503
"""


def rows(path):
    (source,) = open_sources(path)
    return [
        ({name: cell for name, cell in row.cells.items() if cell}, row.problem) for row in source.rows
    ], source.notes


def test_failed_requests_of_a_w3c_log_are_errors(tmp_path):
    (tmp_path / "u_ex.log").write_text(W3C, "utf-8")
    read, notes = rows(tmp_path / "u_ex.log")
    assert [cells.get("message") for cells, _ in read] == ["PUT /visits/3 409", None, "PUT /visits/4 503"]
    assert [bool(problem) for _, problem in read] == [False, True, False]
    assert (read[0][0]["occurred_at"], read[0][0]["user_id"]) == ("2026-03-02T08:00:01Z", "u5")
    assert "user_id" not in read[2][0]
    assert "successful requests, skipped: 1" in notes


def test_json_in_a_column_of_dimensions_is_opened(tmp_path):
    def quoted(value):
        return '"' + json.dumps(value).replace('"', '""') + '"'

    lines = ["timestamp,message,severityLevel,customDimensions"]
    lines.append("2026-03-02T08:00:01Z,Visit was refused,3," + quoted({"deviceId": "PAD-4", "userId": "u4"}))
    lines.append("2026-03-02T08:00:02Z,Sync done,1," + quoted({"deviceId": "PAD-4"}))
    (tmp_path / "traces.csv").write_text("\n".join(lines), "utf-8")
    ((cells, _),) = rows(tmp_path / "traces.csv")[0]
    assert (cells["message"], cells["device_id"], cells["user_id"]) == ("Visit was refused", "PAD-4", "u4")


def test_a_template_is_filled_and_its_stack_trace_is_apart(tmp_path):
    line = {
        "@t": "2026-03-02T08:00:01Z",
        "@l": "Error",
        "@mt": "Push of {Object} failed",
        "Object": "visit__v",
    }
    line["@x"] = "System.Exception: lot is missing\n   at Crm.Push()"
    (tmp_path / "a.clef").write_text(json.dumps(line) + "\n" + json.dumps(line | {"@l": "Debug"}), "utf-8")
    ((cells, _),) = rows(tmp_path / "a.clef")[0]
    assert cells["message"] == "Push of visit__v failed: System.Exception: lot is missing"
    assert cells["stack_trace"] == "   at Crm.Push()"


def test_the_message_of_the_inner_error_wins(tmp_path):
    line = {
        "level": 50,
        "msg": "request failed",
        "err": {"type": "Conflict", "message": "Visit was changed by another user"},
    }
    (tmp_path / "a.json").write_text(
        json.dumps(line) + "\n" + json.dumps({"level": 30, "msg": "ok"}), "utf-8"
    )
    ((cells, _),) = rows(tmp_path / "a.json")[0]
    assert cells["message"] == "Visit was changed by another user"
    assert cells["msg (outer)"] == "request failed"
