"""Answer questions about an open store: frames and small values out.

How is the fleet?       health, measure, measure_compared, METRICS, Metric, FILTERS, list_devices, get_device,
                        estimate_coverage, estimate_durations, estimate_duration_curve, load_objectives, slo_status
What is wrong?          list_issues, find_incidents, list_incidents, get_issue, get_error_event, list_records_at_risk,
                        parse_query, group, find_templates, compare_messages, healthy_peers, update_issue_states
Why?                    classify, update_findings, CAUSES, load_catalogue, explain_issue, explain_period, explain,
                        suspects, change_points, assess_sync_failure
What to do?             suggest_fix, render_fix, fix_to_dict, ranked_fixes, recovery_actions, load_playbook, lint,
                        LINT_RULES
Is it getting worse?    evaluate_alert_rules, load_alert_rules, backtest_alerts, score_alerts, send_notifications,
                        prometheus_text
How good are we?        build_report_card, resolution_stats, compare_catalogues, read_catalogue, lint_gaps

The first argument of each function is an open store (`ingest.open_store`). Charts of the returned frames are in
`analysis.charts`; fixes are rehearsed by `rehearsal.rehearse`. Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis import charts as charts
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
    from analysis.diagnosis.sync_failures import SyncFailureAssessment, assess_sync_failure
    from analysis.evaluation.scores import ReportCard, build_report_card
    from analysis.findings import FindingsUpdate, update_findings
    from analysis.fixes.issue_context import SharedAttribute
    from analysis.fixes.playbook import Playbook, load_playbook
    from analysis.fixes.ranking import ranked_fixes
    from analysis.fixes.recovery_actions import RecoveryAction, recovery_actions
    from analysis.fixes.rendering import fix_to_dict, render_fix
    from analysis.fixes.suggestion import Suggestion, suggest_fix
    from analysis.fleet.coverage import Coverage, estimate_coverage
    from analysis.fleet.devices import Device, get_device, list_devices
    from analysis.fleet.pending_records import list_records_at_risk
    from analysis.fleet.sync_durations import estimate_duration_curve, estimate_durations
    from analysis.grouping.comparison import compare_messages
    from analysis.grouping.issue_ids import GROUPING_VERSION, find_templates, group
    from analysis.incidents.incidents import Incident, find_incidents, list_incidents
    from analysis.issues.details import Issue, get_issue
    from analysis.issues.events import get_error_event
    from analysis.issues.health import Health, health
    from analysis.issues.listing import IssueSummary, list_issues
    from analysis.issues.search import parse_query
    from analysis.metrics.compare import measure_compared
    from analysis.metrics.registry import METRICS, Metric, measure
    from analysis.query.filters import FILTERS
    from analysis.triage.auto_review import update_issue_states
    from analysis.triage.resolution_stats import ResolutionStats, resolution_stats
    from analysis.triage.states import TriageState

_MODULE_OF = {
    "AlertLog": "alerting.alert_log",
    "AnalysisError": "base.errors",
    "CAUSES": "classification.catalogue",
    "Catalogue": "classification.catalogue",
    "ChangePoint": "diagnosis.change_points",
    "Coverage": "fleet.coverage",
    "Device": "fleet.devices",
    "Explanation": "diagnosis.explain.explanations",
    "FILTERS": "query.filters",
    "FindingsUpdate": "findings",
    "GROUPING_VERSION": "grouping.issue_ids",
    "Health": "issues.health",
    "HealthyPeers": "diagnosis.healthy_peers",
    "Incident": "incidents.incidents",
    "Issue": "issues.details",
    "IssueSummary": "issues.listing",
    "LINT_RULES": "config_lint.rules",
    "LintRule": "config_lint.rules",
    "METRICS": "metrics.registry",
    "Metric": "metrics.registry",
    "Playbook": "fixes.playbook",
    "RecoveryAction": "fixes.recovery_actions",
    "ReportCard": "evaluation.scores",
    "ResolutionStats": "triage.resolution_stats",
    "SharedAttribute": "fixes.issue_context",
    "Suggestion": "fixes.suggestion",
    "SuspectChange": "diagnosis.suspect_changes",
    "TriageState": "triage.states",
    "SyncFailureAssessment": "diagnosis.sync_failures",
    "assess_sync_failure": "diagnosis.sync_failures",
    "backtest_alerts": "alerting.backtest",
    "build_report_card": "evaluation.scores",
    "change_points": "diagnosis.change_points",
    "classify": "classification.classifier",
    "compare_catalogues": "classification.catalogue_diff",
    "compare_messages": "grouping.comparison",
    "estimate_coverage": "fleet.coverage",
    "estimate_duration_curve": "fleet.sync_durations",
    "estimate_durations": "fleet.sync_durations",
    "evaluate_alert_rules": "alerting.rules",
    "explain": "diagnosis.explain.explanations",
    "explain_issue": "diagnosis.explain.questions",
    "explain_period": "diagnosis.explain.questions",
    "find_incidents": "incidents.incidents",
    "find_templates": "grouping.issue_ids",
    "fix_to_dict": "fixes.rendering",
    "get_device": "fleet.devices",
    "get_error_event": "issues.events",
    "get_issue": "issues.details",
    "group": "grouping.issue_ids",
    "health": "issues.health",
    "healthy_peers": "diagnosis.healthy_peers",
    "lint": "config_lint.rules",
    "lint_gaps": "config_lint.rules",
    "list_devices": "fleet.devices",
    "list_incidents": "incidents.incidents",
    "list_issues": "issues.listing",
    "list_records_at_risk": "fleet.pending_records",
    "load_alert_rules": "alerting.rules",
    "load_catalogue": "classification.catalogue",
    "load_objectives": "alerting.slo",
    "load_playbook": "fixes.playbook",
    "measure": "metrics.registry",
    "measure_compared": "metrics.compare",
    "parse_query": "issues.search",
    "prometheus_text": "alerting.prometheus",
    "ranked_fixes": "fixes.ranking",
    "read_catalogue": "classification.catalogue_diff",
    "recovery_actions": "fixes.recovery_actions",
    "render_fix": "fixes.rendering",
    "resolution_stats": "triage.resolution_stats",
    "score_alerts": "alerting.backtest",
    "send_notifications": "alerting.channels",
    "slo_status": "alerting.slo",
    "suggest_fix": "fixes.suggestion",
    "suspects": "diagnosis.suspect_changes",
    "update_findings": "findings",
    "update_issue_states": "triage.auto_review",
}

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
    "Incident",
    "Issue",
    "IssueSummary",
    "LintRule",
    "Metric",
    "Playbook",
    "RecoveryAction",
    "ReportCard",
    "ResolutionStats",
    "SharedAttribute",
    "Suggestion",
    "SuspectChange",
    "SyncFailureAssessment",
    "TriageState",
    "assess_sync_failure",
    "backtest_alerts",
    "build_report_card",
    "change_points",
    "classify",
    "compare_catalogues",
    "compare_messages",
    "estimate_coverage",
    "estimate_duration_curve",
    "estimate_durations",
    "evaluate_alert_rules",
    "explain",
    "explain_issue",
    "explain_period",
    "find_incidents",
    "find_templates",
    "fix_to_dict",
    "get_device",
    "get_error_event",
    "get_issue",
    "group",
    "health",
    "healthy_peers",
    "lint",
    "lint_gaps",
    "list_devices",
    "list_incidents",
    "list_issues",
    "list_records_at_risk",
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
    "render_fix",
    "resolution_stats",
    "score_alerts",
    "send_notifications",
    "slo_status",
    "suggest_fix",
    "suspects",
    "update_findings",
    "update_issue_states",
]


def __getattr__(name: str) -> object:
    if name == "charts":
        return import_module("analysis.charts")
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(f"analysis.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "charts"})
