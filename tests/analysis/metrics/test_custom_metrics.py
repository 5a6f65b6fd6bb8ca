"""Custom metrics are measured like built-in ones; a misspelled name gets a suggestion."""

from __future__ import annotations

import logging
import traceback

import pytest

from analysis import METRICS, Metric, explain_period, measure, measure_compared
from analysis.metrics.registry import InvalidMetric, UnknownMetric
from analysis.query.filters import UnknownFilter

CUSTOM = """-- title: Syncs by country
-- unit: syncs
-- good: neither
-- How many syncs each country has.
SELECT country, count(*) AS syncs FROM sync WHERE country IS NOT NULL GROUP BY country ORDER BY country
"""


@pytest.fixture
def custom_file(tmp_path):
    path = tmp_path / "by_country.sql"
    path.write_text(CUSTOM, encoding="utf-8")
    return path


def test_a_custom_metric_is_read_and_filtered(stormy_store, custom_file):
    metric = Metric.read(custom_file)
    assert (metric.name, metric.title, metric.unit) == ("by_country", "Syncs by country", "syncs")
    whole, german = measure(stormy_store, metric), measure(stormy_store, metric, country="DE")
    assert len(whole) > 1
    assert list(german["country"]) == ["DE"]
    assert german["syncs"].iloc[0] == whole.set_index("country")["syncs"]["DE"]


def test_a_custom_metric_is_compared(stormy_store, custom_file):
    compared = measure_compared(
        stormy_store, Metric.read(custom_file), since="2026-03-09", until="2026-03-16"
    )
    assert {"syncs", "syncs_before", "syncs_change"} <= set(compared.columns)


@pytest.mark.parametrize(
    ("text", "message"), [("SELECT 1", "must begin with"), (CUSTOM.replace("FROM sync", "FROM synk"), "synk")]
)
def test_an_invalid_metric_states_the_reason(stormy_store, tmp_path, text, message):
    path = tmp_path / "own.sql"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidMetric, match=message):
        measure(stormy_store, Metric.read(path))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InvalidMetric, match="No such file"):
        Metric.read(tmp_path / "none.sql")


def test_a_misspelled_name_gets_a_suggestion(stormy_store):
    with pytest.raises(UnknownMetric) as unknown:
        measure(stormy_store, "sucess_rate")
    assert unknown.value.next_step.startswith("Did you mean success_rate? ")
    with pytest.raises(UnknownFilter) as unknown:
        measure(stormy_store, "success_rate", plattform="iPad")
    assert unknown.value.next_step.startswith("Did you mean platform? ")
    with pytest.raises(UnknownMetric) as unknown:
        measure(stormy_store, "zzzz")
    assert unknown.value.next_step.startswith(f"Use one of: {next(iter(METRICS))}")


def test_the_next_step_is_in_the_traceback(stormy_store):
    with pytest.raises(UnknownMetric) as unknown:
        measure(stormy_store, "sucess_rate")
    assert "Next: Did you mean success_rate?" in "".join(traceback.format_exception(unknown.value))


def test_a_missing_value_is_logged(stormy_store, caplog):
    with caplog.at_level(logging.WARNING, "analysis"):
        assert measure(stormy_store, "success_rate", platform="Ipad").empty
    assert "the store has no platform 'Ipad'. Did you mean iPad? It has: iPad" in caplog.text


@pytest.mark.parametrize("name", ["territory", "profile", "object", "cause", "issue_id", "user_id", "device_id",
                                  "device_model", "country", "app_version", "sync_type"])  # fmt: skip
def test_every_filter_lists_its_values(stormy_store, caplog, name):
    with caplog.at_level(logging.WARNING, "analysis"):
        measure(stormy_store, "errors_by_cause", **{name: "\x27; DROP TABLE sync_error; --"})
    assert f"the store has no {name}" in caplog.text
    assert measure(stormy_store, "errors_by_cause").size


def test_an_existing_value_is_not_logged(stormy_store, caplog):
    with caplog.at_level(logging.WARNING, "analysis"):
        assert measure(stormy_store, "errors_by_cause", platform="iPad", until="2001-01-01").empty
    assert caplog.text == ""


def test_a_period_without_syncs_is_logged(stormy_store, caplog):
    with caplog.at_level(logging.WARNING, "analysis"):
        assert explain_period(stormy_store, "2001-01-01", "2001-01-02") == []
    assert "no finished syncs in the period" in caplog.text
