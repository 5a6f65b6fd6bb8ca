from __future__ import annotations

import pandas as pd
import pytest

from analysis import charts

DAYS = pd.date_range("2026-03-01", periods=5)


def test_changes_are_marked_by_letters_with_their_labels():
    changes = pd.DataFrame({"changed_at": DAYS[1:3], "label": ["rule activated", "build 25.3.1"]})
    figure = charts.mark_changes(charts.counts_over_time(pd.DataFrame({"day": DAYS, "events": 1})), changes)
    marks = [note for note in figure.layout.annotations if note.text]
    assert [(note.text, note.hovertext) for note in marks] == [("A", "rule activated"), ("B", "build 25.3.1")]


def test_changes_at_the_same_time_share_a_letter_and_none_is_forgotten():
    times = pd.Series(pd.to_datetime(["2026-03-01 00:00"] * 8 + ["2026-03-01 01:00", "2026-03-05 00:00"]))
    assert charts.assign_marks(times) == ["A"] * 9 + ["B"]
    changes = pd.DataFrame({"changed_at": times, "label": [f"change {number}" for number in range(10)]})
    figure = charts.mark_changes(charts.counts_over_time(pd.DataFrame({"day": DAYS, "events": 1})), changes)
    hover = next(note.hovertext for note in figure.layout.annotations if note.text == "A")
    assert hover.endswith("change 5<br>and 3 more")


def test_letters_go_on_after_z():
    assert charts.letter_labels(28)[25:] == ["Z", "AA", "AB"]


def test_text_of_devices_is_no_markup_in_a_figure():
    frame = pd.DataFrame({"name": ["<b>x</b><a href='https://evil.example'>y</a>"], "n": [1]})
    shown = charts.bars(frame, label="name", value="n").data[0].y[0]
    assert "<" not in shown
    assert ">" not in shown


def test_the_biggest_part_of_a_stack_is_at_the_bottom():
    frame = pd.DataFrame({"day": [*DAYS, *DAYS], "events": [1] * 5 + [9] * 5, "cause": ["a"] * 5 + ["b"] * 5})
    assert [bar.name for bar in charts.counts_over_time(frame, by="cause").data] == ["b", "a"]


def test_an_interval_reaches_from_low_to_high():
    frame = pd.DataFrame({"t": ["mini__v"], "rate": [0.9], "low": [0.8], "high": [0.95]})
    bar = charts.intervals(frame, label="t", rate="rate", low="low", high="high").data[0]
    assert bar.error_x.arrayminus[0] == pytest.approx(0.1)
    assert bar.error_x.array[0] == pytest.approx(0.05)
    assert bar.y == ("mini",)


def test_outcomes_differ_in_shape_as_well_as_in_colour():
    frame = pd.DataFrame(
        {
            "happened_at": DAYS[:4],
            "kind": ["sync", "sync", "sync", "error"],
            "what": ["mini__v", "mini__v", "mini__v", "account__v"],
            "how": ["succeeded", "failed_upload", "unfinished", "network"],
        }
    )
    drawn = charts.device_timeline(frame).data
    assert len({trace.marker.symbol for trace in drawn}) == 4
    assert [trace.y[0] for trace in drawn] == ["mini", "mini", "mini", "errors"]


@pytest.mark.parametrize(
    "draw",
    [
        charts.counts_over_time,
        lambda frame: charts.rate_over_time(frame, rate="events"),
        lambda frame: charts.bars(frame, label="day", value="events"),
        lambda frame: charts.steps(frame, at="day", value="events"),
    ],
)
def test_a_frame_without_rows_is_an_empty_figure(draw):
    draw(pd.DataFrame({"day": pd.to_datetime([]), "events": pd.Series([], dtype=float)}))


def test_a_share_of_few_syncs_is_a_point_beside_the_line():
    frame = pd.DataFrame({"day": DAYS, "rate": [0.1, 0.2, 0.1, 0.1, 1.0], "syncs": [90, 80, 70, 60, 1]})
    line, few = charts.rate_over_time(frame, total="syncs").data
    assert [pd.notna(value) for value in line.y] == [True] * 4 + [False]
    assert list(few.y) == [1.0] and few.marker.symbol == "circle-open" and few.mode == "markers"
    (alone,) = charts.rate_over_time(frame.assign(syncs=3), total="syncs").data
    assert list(alone.y) == list(frame["rate"]), "where all are few, all are drawn alike"


def test_parts_without_a_color_are_combined_and_none_is_lost():
    frame = pd.DataFrame(
        {
            "day": [*DAYS] * 9,
            "events": range(45),
            "cause": [f"cause-{number}" for number in range(9) for _ in DAYS],
        }
    )
    drawn = charts.counts_over_time(frame, by="cause").data
    assert len({bar.marker.color for bar in drawn}) == len(drawn) == 7
    assert sum(sum(bar.y) for bar in drawn) == frame["events"].sum()


def test_spans_reach_from_their_begin_to_their_end():
    frame = pd.DataFrame({"t": ["a"], "b": DAYS[:1], "e": DAYS[2:3], "k": ["page"]})
    bar = charts.spans(frame, label="t", begin="b", end="e", kind="k").data[0]
    assert bar.x[0] == 2 * 86_400_000
