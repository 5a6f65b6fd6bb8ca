"""Known misconfigurations in the loaded configuration."""

from __future__ import annotations

import streamlit as st

from analysis.config_lint.rules import LINT_RULES, lint, lint_gaps
from dashboard import controls, data, issue_panels, widgets

view = controls.current_view()
widgets.show_heading(
    "Configuration", "Known misconfigurations in the loaded configuration, independent of the period."
)
findings, gaps = data.fetch(lint), data.fetch(lint_gaps)
if len(gaps) == len(LINT_RULES):
    st.info(
        "No configuration is loaded yet. Load object metadata, permissions, VMOCs and settings, for example with a "
        "pull from Vault:",
        icon=":material/inbox:",
    )
    st.code("synclens pull --help", language="bash")
elif findings.empty and not gaps.empty:
    st.info(
        f"No problems found, but only {len(LINT_RULES) - len(gaps)} of {len(LINT_RULES)} rules could be checked. The "
        "others need configuration that is not loaded. Load it with a pull from Vault:",
        icon=":material/help:",
    )
    st.code("synclens pull --help", language="bash")
elif findings.empty:
    st.success(
        f"All {len(LINT_RULES)} rules were checked. No problems found.", icon=":material/check_circle:"
    )
by_rule = findings.groupby(["rule", "severity", "fix"], sort=False, dropna=False)
for number, (_, rule_findings) in enumerate(by_rule):
    issue_panels.show_lint_rule(rule_findings, number, view)
if not findings.empty:
    widgets.show_exports(findings, key="lint", title="Configuration lint", view=view)
if not gaps.empty:
    label = f"{len(gaps)} of {len(LINT_RULES)} rules could not be checked"
    with st.expander(label, icon=":material/help:", expanded=findings.empty):
        widgets.show_table(gaps, key="lint-gaps", title="Rules that could not be checked", view=view)
