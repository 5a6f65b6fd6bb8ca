"""Known misconfigurations in what is loaded of the configuration, found before they hurt."""

from __future__ import annotations

import streamlit as st

from analysis.config_lint.rules import LINT_RULES, lint, lint_gaps
from dashboard import controls, data, issue_panels, widgets

view = controls.current_view()
widgets.show_heading(
    "Configuration", "Known misconfigurations, found before they hurt. As loaded, whatever the period."
)
findings, gaps = data.fetch(lint), data.fetch(lint_gaps)
if len(gaps) == len(LINT_RULES):
    st.info(
        "No configuration is loaded yet, so nothing can be checked. Load object metadata, permissions, VMOCs "
        "and settings, for instance with a pull from Vault:",
        icon=":material/inbox:",
    )
    st.code("synclens pull --help", language="bash")
elif findings.empty and not gaps.empty:
    st.info(
        f"Nothing was found, but only {len(LINT_RULES) - len(gaps)} of {len(LINT_RULES)} rules could be "
        "checked: the rest look at configuration that is not loaded. A pull from Vault brings it:",
        icon=":material/help:",
    )
    st.code("synclens pull --help", language="bash")
elif findings.empty:
    st.success(
        f"All {len(LINT_RULES)} rules were checked and nothing was found.", icon=":material/check_circle:"
    )
alike = findings.groupby(["rule", "severity", "fix"], sort=False, dropna=False)
for number, (_, found) in enumerate(alike):
    issue_panels.show_lint_rule(found, number, view)
if not findings.empty:
    widgets.show_exports(findings, key="lint", title="Configuration lint", view=view)
if not gaps.empty:
    label = f"{len(gaps)} of {len(LINT_RULES)} rules could not be checked"
    with st.expander(label, icon=":material/help:", expanded=findings.empty):
        widgets.show_table(gaps, key="lint-gaps", title="Rules that could not be checked", view=view)
