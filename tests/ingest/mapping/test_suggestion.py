import pytest

from ingest import UnknownKind, load, suggest_mapping

UNKNOWN = (
    "Fault Raised;Tech;Station Tablet;Server Said;Sev\n"
    "2026-10-05 08:00:00;a.berg@example.com;T-4;Record is locked by another user;Bad\n"
    "2026-10-05 08:05:00;b.lund@example.com;T-9;No permission to edit the visit;Bad\n"
)


def test_a_suggested_mapping_loads_the_file(store, write, tmp_path, clock):
    path = write("odd.csv", UNKNOWN)
    suggestion = suggest_mapping(path)
    assert suggestion.table == "sync_error"
    assert 'occurred_at = ["Fault Raised"]  # its values are times' in suggestion.text
    assert 'user_id = ["Tech"]  # its values are e-mail addresses' in suggestion.text
    mapping = write("suggested.toml", suggestion.text)
    (report,) = load(path, store, mappings=[mapping], clock=clock)
    assert (report.rows_new, report.rows_rejected) == (2, 0)
    assert store.execute("SELECT message FROM sync_error ORDER BY ALL").fetchall() == [
        ("No permission to edit the visit",),
        ("Record is locked by another user",),
    ]


@pytest.mark.parametrize(
    "heading", ['quo"te', "back\\slash", "tab\tname", "ünï", "a]b", "x = 1 # y", "\x9fodd"]
)
def test_a_suggestion_is_valid_whatever_the_headings(store, write, clock, heading):
    cells = '"' + heading.replace('"', '""') + '"'
    path = write("odd.csv", f"occurred_at,{cells},message\n2026-10-05T08:00Z,x,sync failed: timeout\n")
    mapping = write("m.toml", suggest_mapping(path).text)
    (report,) = load(path, store, mappings=[mapping], clock=clock)
    assert report.rows_new == 1


def test_no_mapping_is_suggested_for_numbers_alone(write):
    with pytest.raises(UnknownKind):
        suggest_mapping(write("a.csv", "a,b\n1,2\n3,4\n"))


def test_a_refusal_names_the_columns_that_look_right_and_the_next_step(store, write, clock):
    with pytest.raises(UnknownKind) as refused:
        load(write("odd.csv", UNKNOWN.replace("Record is locked", "See")), store, clock=clock)
    message = str(refused.value)
    assert "'Fault Raised' looks like occurred_at (its values are times)" in message
    assert "--suggest-mapping" in refused.value.next_step
    assert "engine_truth" not in message + refused.value.next_step


def test_grouped_rows_are_refused_with_what_to_load_instead(store, write, clock):
    content = (
        "api_date,api_response_status,api_count,api_response_error_type\n2026-10-05,FAILURE,7,INVALID_DATA\n"
    )
    with pytest.raises(UnknownKind, match="one row is a group of API calls") as refused:
        load(write("stats.csv", content), store, clock=clock)
    assert (
        "APIUsageLog" in refused.value.next_step and "synclens classify stats.csv" in refused.value.next_step
    )
