"""The dashboard: pages that ask `analysis` and draw the answer. No SQL, no arithmetic."""

from dashboard.launcher import app_path, environment, streamlit_arguments

__all__ = ["app_path", "environment", "streamlit_arguments"]
