"""A value written as in any language is read back, or the cell is rejected: never another value."""

# ruff: noqa: DTZ001, DTZ901

from datetime import UTC, datetime, timedelta

import duckdb
import hypothesis.strategies as st
import pytest
from babel.dates import format_datetime
from babel.numbers import format_decimal
from hypothesis import given, settings

from ingest import CellFormat, migrate
from ingest.contracts.tables import CONTRACTS
from ingest.contracts.words import COLUMN_FLAGS, FLAGS
from ingest.mapping.mapping import ColumnMapping
from ingest.readers.rows import RawRow
from ingest.staging.rows import stage_rows
from ingest.staging.unusual import read_unusual_cells
from ingest.store.merge import STAGED, create_staging_table
from tests.support.examples import examples

CONTRACT = CONTRACTS["sync_tracking__v"]
MAPPING = ColumnMapping("plain", CONTRACT)
TIME, NUMBER = "sync_completed_datetime__v", "sync_duration__v"
COUNT, FLAG = "number_of_uploads__v", "successful_sync__v"
LOCALES = (
    "en_US", "en_GB", "en_CA", "en_IN", "de_DE", "de_AT", "de_CH", "fr_FR", "fr_CA", "es_ES", "es_MX", "it_IT",
    "pt_BR", "pt_PT", "nl_NL", "pl_PL", "ru_RU", "uk_UA", "cs_CZ", "sk_SK", "hu_HU", "ro_RO", "bg_BG", "hr_HR",
    "sl_SI", "da_DK", "sv_SE", "nb_NO", "fi_FI", "et_EE", "lv_LV", "lt_LT", "tr_TR", "el_GR", "id_ID", "vi_VN",
    "ar_EG", "he_IL", "ja_JP", "ko_KR", "zh_CN", "zh_TW",
)  # fmt: skip
STEPS = {"short": timedelta(minutes=1), "medium": timedelta(seconds=1)}
LOCAL_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31))


@pytest.fixture(scope="module")
def read_column():
    """Return a function that reads a column of texts: a value, or the reasons of the row, for each."""
    with duckdb.connect(":memory:") as store:
        store.execute("SET TimeZone = 'UTC'")
        migrate(store)

        def read(column, texts, cell_format=CellFormat(), **options):  # noqa: B008 - frozen
            create_staging_table(store, CONTRACT)
            fixed = {"id": "V1", "sync_start_datetime__v": "2026-01-01T00:00:00.000Z"}
            rows = [RawRow(n, {**fixed, column: text}) for n, text in enumerate(texts, start=1)]
            stage_rows(store, MAPPING, {name: name for name in (*fixed, column)}, cell_format, rows)
            read.notes = read_unusual_cells(store, CONTRACT, cell_format, **options)
            staged = store.execute(f'SELECT "{column}", reasons FROM {STAGED} ORDER BY row_number').fetchall()
            assert len(staged) == len(texts)
            return [tuple(reasons) if reasons else value for value, reasons in staged]

        yield read


def count_values(results, expected):
    """Check that every result is the expected value or a rejection, and return how many are values."""
    for result, value in zip(results, expected, strict=True):
        assert isinstance(result, tuple) or result == value, (results, expected)
    return sum(not isinstance(result, tuple) for result in results)


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from(LOCALES), st.sampled_from(list(STEPS)), st.lists(LOCAL_TIMES, min_size=1, max_size=6))
def test_a_time_of_any_locale_is_itself_or_rejected(read_column, locale, style, times):
    texts = [format_datetime(time, style, locale=locale) for time in times]
    expected = [time - (time - datetime.min) % STEPS[style] for time in times]
    count_values(read_column(TIME, texts), expected)


def test_the_usual_times_of_most_locales_are_read(read_column):
    times = [datetime(2026, month, 28, 15, 4, 5) for month in (2, 5, 10)]
    unread = []
    for locale in LOCALES:
        texts = [format_datetime(time, "medium", locale=locale) for time in times]
        if count_values(read_column(TIME, texts), times) < len(times):
            unread.append((locale, texts[0]))
    assert {locale for locale, _ in unread} <= {"he_IL", "hr_HR", "vi_VN"}, unread


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from(LOCALES), st.lists(st.integers(0, 2_000_000), min_size=1, max_size=6))
def test_a_count_of_any_locale_is_itself_or_rejected(read_column, locale, counts):
    count_values(read_column(COUNT, [format_decimal(count, locale=locale) for count in counts]), counts)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.sampled_from(LOCALES),
    st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=6),
    st.integers(0, 3),
)
def test_a_number_of_any_locale_is_itself_or_rejected(read_column, locale, thousandths, digits):
    numbers = [round(each / 1000, digits) for each in thousandths]
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    texts = [format_decimal(number, pattern, locale=locale) for number in numbers]
    count_values(read_column(NUMBER, texts), numbers)


def test_the_flags_of_every_language_are_read_in_any_case(read_column):
    for language, pair in FLAGS.items():
        for value, words in pair.items():
            texts = [form for word in words for form in (word, word.upper(), f" {word.capitalize()}\u00a0")]
            assert read_column(FLAG, texts) == [value == "true"] * len(texts), (language, texts)


def test_words_are_flags_only_in_the_column_that_expects_them(read_column):
    completed, failed, partly = read_column(FLAG, ["Completed", "Failed", "Partly"])
    assert (completed, failed) == (True, False)
    assert "state its meaning under values" in partly[0]
    (other_column,) = read_column("sync_canceled__v", ["Completed"])
    assert "is not true or false" in other_column[0]
    assert set(COLUMN_FLAGS) <= {column.name for each in CONTRACTS.values() for column in each.columns}


def test_a_mapping_states_what_words_mean(read_column):
    stated = CellFormat(values={FLAG: {"Partly": "false", "Skipped": ""}})
    assert read_column(FLAG, ["partly ", "Completed", "SKIPPED"], stated) == [False, True, None]


def test_flags_of_several_languages_are_reported(read_column):
    read_column(FLAG, ["WAHR", "oui", "FALSCH"])
    assert read_column.notes == [
        "flags in successful_sync__v are written in several languages, check them: FALSCH, oui"
    ]
    read_column(FLAG, ["sí", "no", "1", "falso"])
    assert read_column.notes == []


def test_a_whole_column_decides_the_order_of_day_and_month(read_column):
    dmy = read_column(TIME, ["03/04/2026 10:00", "25/04/2026 10:00"])
    mdy = read_column(TIME, ["03/04/2026 10:00", "04/25/2026 10:00"])
    assert dmy == [datetime(2026, 4, 3, 10), datetime(2026, 4, 25, 10)]
    assert mdy == [datetime(2026, 3, 4, 10), datetime(2026, 4, 25, 10)]
    neither, other = read_column(TIME, ["03/04/2026 10:00", "05/05/2026 10:00"])
    assert "set date_order" in neither[0]
    assert other == datetime(2026, 5, 5, 10)
    mixed = read_column(TIME, ["03/04/2026", "25/04/2026", "04/25/2026"])
    assert "set date_order" in mixed[0][0]
    assert mixed[1:] == [datetime(2026, 4, 25), datetime(2026, 4, 25)]
    assert "different orders" in read_column.notes[0]


def test_a_whole_column_decides_the_decimal_sign(read_column):
    assert read_column(NUMBER, ["1.204", "180,50"]) == [1204.0, 180.5]
    assert read_column(NUMBER, ["1.204", "180.50"]) == [1.204, 180.5]
    (ambiguous,) = read_column(NUMBER, ["1.204"])
    assert "set decimal" in ambiguous[0]
    assert read_column(NUMBER, ["1.204"], CellFormat(decimal=",")) == [1204.0]
    assert read_column(NUMBER, ["1.204"], source_decimal=".") == [1.204]
    assert read_column(COUNT, ["1.204", "12"]) == [1204, 12]
    (thousands,) = read_column(COUNT, ["4.000"])
    assert "set decimal" in thousands[0]


def test_durations_and_numbers_in_their_many_spellings(read_column):
    spellings = {
        "180 s": 180.0, "3 min": 180.0, "250 ms": 0.25, "00:03:01": 181.0, "PT3M1S": 181.0, "1h 2m 3s": 3723.0,
        "1.02:03:04": 93784.0, "1e3": 1000.0, "١٢٫٥": 12.5, "1 204,5": 1204.5, "1’204.5": 1204.5, "-": None, 
        "#N/A": None, "nan": None,
    }  # fmt: skip
    assert {text: read_column(NUMBER, [text])[0] for text in spellings} == spellings


def test_numbers_without_one_meaning_are_rejected(read_column):
    faults = {
        "(5)": "is negative", "5 %": "unit", "5 kg": "unit", "3:01": "minutes or hours", "often": "is not a number",
    }  # fmt: skip
    for text, fault in faults.items():
        ((reason,),) = read_column(NUMBER, [text])
        assert fault in reason


def test_a_mapping_states_the_unit(read_column):
    assert read_column(NUMBER, ["1500", "2 s"], CellFormat(units={NUMBER: "ms"})) == [1.5, 2.0]
    assert read_column(NUMBER, ["3:01"], CellFormat(units={NUMBER: "mm:ss"})) == [181.0]


def test_times_in_their_many_spellings(read_column):
    spellings = {
        "2026-10-07 07:11:02,019": "2026-10-07T07:11:02.019", "2026-10-07 07:11:02+00": "2026-10-07T07:11:02",
        "2026-10-07T07:11:02+0100": "2026-10-07T06:11:02", "10/17/2026, 7:02 AM PST": "2026-10-17T15:02",
        "Mar 13, 2026, 1:55 PM": "2026-03-13T13:55",
        "17.10.26 08:12": "2026-10-17T08:12", "2026年10月7日 8時12分": "2026-10-07T08:12",
        "Oct 7, 2026, 6:10\u202fAM": "2026-10-07T06:10", "Wed Oct 7 08:12:00 PST 2026": "2026-10-07T16:12",
        "07/Oct/2026:06:10:11 +0100": "2026-10-07T05:10:11", "07-OCT-26 06.10.11.118 AM": "2026-10-07T06:10:11.118",
        "20261007T081203Z": "2026-10-07T08:12:03", "2026-W41-3": "2026-10-07", "1791360720": "2026-10-07T08:12",
        "1791360720123": "2026-10-07T08:12:00.123", "46302.5": "2026-10-07T12:00",
        "/Date(1791360720000)/": "2026-10-07T08:12", "2026-10-07T08:12:00+02:00[Europe/Berlin]": "2026-10-07T06:12",
        "2026-10-07T08:12[Europe/Berlin]": "2026-10-07T06:12", "2026-10-07 08:12 GMT+0530": "2026-10-07T02:42",
    }  # fmt: skip
    for text, iso in spellings.items():
        assert read_column(TIME, [text]) == [datetime.fromisoformat(iso)], text


def test_times_without_one_meaning_are_rejected(read_column):
    faults = {
        "2026-10-07 08:12 IST": "set zone_words", "2026-10-07 08:12 QQT": "unknown time zone",
        "07:11:02,019": "without a date", "2026-02-30": "not a valid", "18 listopada 2026": "not a valid",
        "soon": "not a valid", "2026-10-07 24:00": "not a valid", "07/10/29": "set date_order",
        "26. 10. 24. PM 2:00": "set date_order",
    }  # fmt: skip
    for text, fault in faults.items():
        ((reason,),) = read_column(TIME, [text])
        assert fault in reason


def test_a_mapping_states_zones_formats_and_order(read_column):
    noon = datetime(2026, 7, 3, 12)
    assert read_column(TIME, ["2026-07-03 14:00:00"], CellFormat("Europe/Berlin")) == [noon]
    assert read_column(TIME, ["2026-07-03 04:00"], CellFormat("PST")) == [noon]
    assert read_column(TIME, ["2026-07-03 17:30 IST"], CellFormat(zone_words={"IST": "Asia/Kolkata"})) == [
        noon
    ]
    assert read_column(TIME, ["12h00|03|07|26"], CellFormat(time_formats=("%Hh%M|%d|%m|%y",))) == [noon]
    assert read_column(TIME, ["07/03/2026 12:00"], CellFormat(date_order="mdy")) == [noon]
    assert read_column(TIME, ["26/07/03 12:00"], CellFormat(date_order="ymd")) == [noon]


@settings(max_examples=examples(60), deadline=None)
@given(LOCAL_TIMES, st.sampled_from([-480, -90, 0, 60, 330, 765]))
def test_an_offset_moves_a_time_to_utc(read_column, time, minutes):
    local, (hours, rest) = time.replace(microsecond=0), divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"
    expected = local - timedelta(minutes=minutes)
    texts = [
        f"{local:%Y-%m-%d %H:%M:%S}{offset}",
        f"{local:%Y-%m-%d %H:%M:%S}{offset[:3]}:{offset[3:]}",
        f"{local:%Y%m%dT%H%M%S}{offset}",
        f"{local:%d %b %Y %H:%M:%S} GMT{offset}",
        f"{expected.replace(tzinfo=UTC).timestamp():.0f}",
    ]
    assert read_column(TIME, texts) == [expected] * 5
