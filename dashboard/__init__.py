"""The dashboard: pages that query `analysis` and `rehearsal` and show the results. It has no SQL."""

from dashboard.launcher import app_path, environment, streamlit_arguments

__all__ = ["app_path", "environment", "streamlit_arguments"]
