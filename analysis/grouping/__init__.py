"""Which messages say the same. Ids come from content, so the order of arrival changes nothing."""

from analysis.grouping.issues import GROUPING_VERSION, Why, compare_versions, group, why
from analysis.grouping.rules import GroupingRules

__all__ = ["GROUPING_VERSION", "GroupingRules", "Why", "compare_versions", "group", "why"]
