"""Answers: a connection to a store in, frames and small values out. Knows nothing of who wrote the store.

How is the fleet?       health, measure, measure_compared, METRICS, Metric, FILTERS, fleet, device, coverage,
                        durations, duration_curve, load_objectives, slo_status
What is wrong?          list_issues, issue, error_event, at_risk, parse_query, group, templates, why,
                        twins
Why?                    classify, conclude, CAUSES, load_catalogue, explain_issue, explain_period, explain,
                        suspects, change_points
What to do?             suggest_fix, ranked_fixes, levers, load_playbook, lint, LINT_RULES
Is it getting worse?    evaluate, load_rules, preview_alerts, deliver, prometheus_text, score_alerts
How good are we?        report_card, track_record, rule_changes, read_catalogue, review, lint_gaps

Each function takes an open store first (`ingest.open_store`). Figures for frames are in `analysis.figures`; fixes
are rehearsed by `synclens.rehearsal.rehearse`. Names in the plural, such as `analysis.issues`, are modules.
"""

from analysis.alerts import (
    AlertBook,
    deliver,
    evaluate,
    load_rules,
    preview_alerts,
    prometheus_text,
    score_alerts,
)
from analysis.catalogue import CAUSES, Catalogue, load_catalogue
from analysis.changes import ChangePoint, Suspect, change_points, suspects
from analysis.circumstances import Common
from analysis.classify import classify
from analysis.conclude import Conclusion, conclude
from analysis.coverage import Coverage, coverage
from analysis.differences import Explanation, explain, explain_issue, explain_period
from analysis.durations import duration_curve, durations
from analysis.errors import AnalysisError
from analysis.events import error_event
from analysis.filters import FILTERS
from analysis.fixes import Suggestion, ranked_fixes, suggest_fix
from analysis.fleet import Device, at_risk, device, fleet
from analysis.grouping import GROUPING, group, templates, why
from analysis.issues import Health, Issue, health, issue, list_issues
from analysis.levers import Lever, levers
from analysis.linting import LINT_RULES, LintRule, lint, lint_gaps
from analysis.metrics import METRICS, Metric, measure
from analysis.metrics.compare import measure_compared
from analysis.playbook import Playbook, load_playbook
from analysis.review import review
from analysis.rulecheck import read_catalogue, rule_changes
from analysis.scoring import ReportCard, report_card
from analysis.search import parse_query
from analysis.slo import load_objectives, slo_status
from analysis.states import TriageState
from analysis.track_record import TrackRecord, track_record
from analysis.twins import Twins, twins

__all__ = [
    "CAUSES",
    "FILTERS",
    "GROUPING",
    "LINT_RULES",
    "METRICS",
    "AlertBook",
    "AnalysisError",
    "Catalogue",
    "ChangePoint",
    "Common",
    "Conclusion",
    "Coverage",
    "Device",
    "Explanation",
    "Health",
    "Issue",
    "Lever",
    "LintRule",
    "Metric",
    "Playbook",
    "ReportCard",
    "Suggestion",
    "Suspect",
    "TrackRecord",
    "TriageState",
    "Twins",
    "at_risk",
    "change_points",
    "classify",
    "conclude",
    "coverage",
    "deliver",
    "device",
    "duration_curve",
    "durations",
    "error_event",
    "evaluate",
    "explain",
    "explain_issue",
    "explain_period",
    "fleet",
    "group",
    "health",
    "issue",
    "levers",
    "lint",
    "lint_gaps",
    "list_issues",
    "load_catalogue",
    "load_objectives",
    "load_playbook",
    "load_rules",
    "measure",
    "measure_compared",
    "parse_query",
    "preview_alerts",
    "prometheus_text",
    "ranked_fixes",
    "read_catalogue",
    "report_card",
    "review",
    "rule_changes",
    "score_alerts",
    "slo_status",
    "suggest_fix",
    "suspects",
    "templates",
    "track_record",
    "twins",
    "why",
]
