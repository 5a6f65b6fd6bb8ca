"""Answers: a connection to a store in, frames and small values out. Knows nothing of who wrote the store.

How is the fleet?       health, measure, measure_compared, METRICS, Metric, FILTERS, fleet, device, coverage,
                        durations, duration_curve, load_objectives, slo_status
What is wrong?          list_issues, get_issue, get_error_event, at_risk, parse_query, group, find_templates,
                        compare_messages, healthy_peers, update_issue_states
Why?                    classify, update_findings, CAUSES, load_catalogue, explain_issue, explain_period, explain,
                        suspects, change_points
What to do?             suggest_fix, ranked_fixes, recovery_actions, load_playbook, lint, LINT_RULES
Is it getting worse?    evaluate_alert_rules, load_alert_rules, backtest_alerts, score_alerts, send_notifications,
                        prometheus_text
How good are we?        report_card, resolution_stats, compare_catalogues, read_catalogue, lint_gaps

Each function takes an open store first (`ingest.open_store`). Figures for frames are in `analysis.charts`; fixes
are rehearsed by `rehearsal.rehearse`. Names in the plural, such as `analysis.issues`, are modules.
"""

from analysis.alerting.alert_log import AlertLog
from analysis.alerting.backtest import backtest_alerts, score_alerts
from analysis.alerting.channels import send_notifications
from analysis.alerting.prometheus import prometheus_text
from analysis.alerting.rules import evaluate_alert_rules, load_alert_rules
from analysis.alerting.slo import load_objectives, slo_status
from analysis.base.errors import AnalysisError
from analysis.classification.catalogue import CAUSES, Catalogue, load_catalogue
from analysis.classification.catalogue_diff import compare_catalogues, read_catalogue
from analysis.classification.classifier import classify
from analysis.config_lint.rules import LINT_RULES, LintRule, lint, lint_gaps
from analysis.diagnosis.change_points import ChangePoint, change_points
from analysis.diagnosis.explain.explanations import Explanation, explain
from analysis.diagnosis.explain.questions import explain_issue, explain_period
from analysis.diagnosis.healthy_peers import HealthyPeers, healthy_peers
from analysis.diagnosis.suspect_changes import SuspectChange, suspects
from analysis.evaluation.scores import ReportCard, report_card
from analysis.findings import FindingsUpdate, update_findings
from analysis.fixes.issue_context import SharedAttribute
from analysis.fixes.playbook import Playbook, load_playbook
from analysis.fixes.recovery_actions import RecoveryAction, recovery_actions
from analysis.fixes.suggestion import Suggestion, ranked_fixes, suggest_fix
from analysis.fleet.coverage import Coverage, coverage
from analysis.fleet.devices import Device, at_risk, device, fleet
from analysis.fleet.sync_durations import duration_curve, durations
from analysis.grouping.comparison import compare_messages
from analysis.grouping.issue_ids import GROUPING_VERSION, find_templates, group
from analysis.issues.events import get_error_event
from analysis.issues.listing import Health, Issue, get_issue, health, list_issues
from analysis.issues.search import parse_query
from analysis.metrics.compare import measure_compared
from analysis.metrics.registry import METRICS, Metric, measure
from analysis.query.filters import FILTERS
from analysis.triage.auto_review import update_issue_states
from analysis.triage.resolution_stats import ResolutionStats, resolution_stats
from analysis.triage.states import TriageState

__all__ = [
    "CAUSES",
    "FILTERS",
    "GROUPING_VERSION",
    "LINT_RULES",
    "METRICS",
    "AlertLog",
    "AnalysisError",
    "Catalogue",
    "ChangePoint",
    "Coverage",
    "Device",
    "Explanation",
    "FindingsUpdate",
    "Health",
    "HealthyPeers",
    "Issue",
    "LintRule",
    "Metric",
    "Playbook",
    "RecoveryAction",
    "ReportCard",
    "ResolutionStats",
    "SharedAttribute",
    "Suggestion",
    "SuspectChange",
    "TriageState",
    "at_risk",
    "backtest_alerts",
    "change_points",
    "classify",
    "compare_catalogues",
    "compare_messages",
    "coverage",
    "device",
    "duration_curve",
    "durations",
    "evaluate_alert_rules",
    "explain",
    "explain_issue",
    "explain_period",
    "find_templates",
    "fleet",
    "get_error_event",
    "get_issue",
    "group",
    "health",
    "healthy_peers",
    "lint",
    "lint_gaps",
    "list_issues",
    "load_alert_rules",
    "load_catalogue",
    "load_objectives",
    "load_playbook",
    "measure",
    "measure_compared",
    "parse_query",
    "prometheus_text",
    "ranked_fixes",
    "read_catalogue",
    "recovery_actions",
    "report_card",
    "resolution_stats",
    "score_alerts",
    "send_notifications",
    "slo_status",
    "suggest_fix",
    "suspects",
    "update_findings",
    "update_issue_states",
]
