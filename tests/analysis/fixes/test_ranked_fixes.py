"""Fixes are ranked by the work and users that they free, and every cause has a short fix."""

from __future__ import annotations

from collections import Counter

from analysis import health, list_issues, load_playbook, measure, ranked_fixes
from analysis.fixes.ranking import RANKED_COLUMNS
from analysis.issues.listing import impact


def test_the_fix_that_frees_most_work_and_users_is_first(stormy_store):
    ranked = ranked_fixes(stormy_store)
    assert tuple(ranked.columns) == RANKED_COLUMNS
    as_of = health(stormy_store).as_of
    impacts = Counter()
    for issue in list_issues(stormy_store).to_dict("records"):
        impacts[issue["cause"]] += impact(issue, as_of)
    order = [impacts[cause] for cause in ranked["cause"]]
    assert order == sorted(order, reverse=True) and order[0] > order[-1]
    assert ranked["records"].iloc[0] == ranked["records"].max() > 0
    first = ranked.iloc[0]
    assert first["short_fix"] == load_playbook(first["cause"]).short_fix


def test_counts_agree_with_the_metrics(stormy_store):
    ranked = ranked_fixes(stormy_store, platform="iPad").set_index("cause")
    causes = measure(stormy_store, "errors_by_cause", platform="iPad").set_index("cause")
    risk = measure(stormy_store, "records_at_risk", platform="iPad").set_index("cause")
    assert set(ranked.index) == set(causes.index)
    assert ranked["events"].to_dict() == causes["events"].to_dict()
    assert {c: n for c, n in ranked["records"].items() if n} == {
        c: n for c, n in risk["records"].items() if c in causes.index
    }


def test_a_cause_of_a_custom_catalogue_has_the_short_fix_for_unknown_errors(own_stormy_store):
    own_stormy_store.execute("UPDATE finding SET cause = 'gatehouse' WHERE cause = 'network'")
    (row,) = ranked_fixes(own_stormy_store).query("cause == 'gatehouse'").to_dict("records")
    assert row["short_fix"] == load_playbook("unknown").short_fix


def test_an_empty_store_returns_all_columns(store):
    assert tuple(ranked_fixes(store).columns) == RANKED_COLUMNS
