"""Which messages say the same. Ids come from content, so the order of arrival changes nothing."""

from analysis.grouping.corrections import Correction
from analysis.grouping.issues import GROUPING, group, replay, templates
from analysis.grouping.rules import apply_rules
from analysis.grouping.why import Comparison, why

__all__ = ["GROUPING", "Comparison", "Correction", "apply_rules", "group", "replay", "templates", "why"]
