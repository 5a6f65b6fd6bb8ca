"""The daily API usage log: a zipped CSV file with one line per call."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime

from sync_engine.json_docs import from_json
from sync_engine.protocol import VaultError
from sync_engine.vault_api.audits import require_log_permission
from sync_engine.vault_api.messages import Reply, file_reply, format_timestamp, parse_timestamp
from sync_engine.vault_api.objects import VAULT_ID
from sync_engine.vault_api.server_state import ApiCall

DAY = 86400.0
COLUMNS = [
    "timestamp",
    "session_id",
    "user_id",
    "username",
    "http_method",
    "endpoint",
    "http_response_status",
    "api_version",
    "api_response_status",
    "api_response_error_type",
    "execution_id",
    "client_id",
    "client_ip",
    "burst_limit_remaining",
    "duration",
    "response_delay",
    "sdk_count",
    "sdk_cpu_time",
    "sdk_elapsed_time",
    "sdk_gross_memory",
    "connection",
    "api_resource",
    "api_response_warning_type",
    "api_response_warning_message",
    "api_response_error_message",
    "reference_id",
]


def download_daily_log(call: ApiCall) -> Reply:
    """Handle `GET /logs/api_usage?date=YYYY-MM-DD`: return the log of a UTC day.

    The day may be at most 30 days ago.
    """
    require_log_permission(call, "API Usage Logs")
    text = call.request.query.get("date", "")
    if not text:
        raise VaultError("PARAMETER_REQUIRED", "Missing required parameter [date]")
    day = parse_timestamp(text[:10])
    if not call.now - 31 * DAY <= day <= call.now:
        raise VaultError("INVALID_DATA", f"[{text}] is not within the last 30 days")
    log_format = call.request.query.get("log_format", "csv")
    if log_format != "csv":
        raise VaultError("OPERATION_NOT_ALLOWED", f"The log_format [{log_format}] is not served; use csv")
    name = f"{VAULT_ID}-APIUsageLog-{datetime.fromtimestamp(day, UTC):%Y-%m-%d}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{name}.csv", (1980, 1, 1, 0, 0, 0)), _daily_csv(call, day))
    return file_reply(f"{name}.zip", packed.getvalue())


def _daily_csv(call: ApiCall, day: float) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    rows = call.vault.db.execute(
        "SELECT at, doc FROM rest_call WHERE at >= ? AND at < ? ORDER BY n", (day, day + DAY)
    )
    for at, doc in rows.fetchall():
        writer.writerow({"timestamp": format_timestamp(at)} | from_json(doc))
    return text.getvalue()
