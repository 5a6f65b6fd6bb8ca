"""Jobs that prepare a file, such as an audit trail as CSV. Here a job is finished when it is started."""

from __future__ import annotations

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.job_list import Job
from sync_engine.vault_api.messages import (
    CSV_TYPE,
    Reply,
    format_timestamp,
    parse_whole_number,
    parse_window,
    success_reply,
)
from sync_engine.vault_api.objects import to_user_number
from sync_engine.vault_api.server_state import ApiCall

POLL_SECONDS = 10.0
"""Documented: the status of a job may be requested once in this time."""


def get_job_status(call: ApiCall) -> Reply:
    """Handle `GET /services/jobs/{id}`: return the status of a job."""
    job = _find_job(call)
    if job.last_poll is not None and call.now - job.last_poll < POLL_SECONDS:
        raise VaultError(
            "API_LIMIT_EXCEEDED", f"The status of job [{job.id}] can be requested once every 10 seconds"
        )
    job.last_poll = call.now
    path = call.url(f"/services/jobs/{job.id}")
    links = [
        {"rel": "self", "href": path, "method": "GET", "accept": "application/json"},
        {"rel": "content", "href": f"{path}/content", "method": "GET", "accept": "text/csv"},
    ]
    at = format_timestamp(job.at)
    data = {"id": job.id, "status": "SUCCESS", "method": "GET", "links": links}
    data |= {
        "created_by": to_user_number(job.user),
        "created_date": at,
        "run_start_date": at,
        "run_end_date": at,
    }
    return success_reply({"responseMessage": "OK", "data": data})


def download_job_result(call: ApiCall) -> Reply:
    """Handle `GET /services/jobs/{id}/content`: return the file of a job. The path is ours."""
    job = _find_job(call)
    headers = {
        "Content-Disposition": f'attachment; filename="{job.filename}"',
        "X-VaultAPI-Status": "SUCCESS",
    }
    return Reply(body=job.content, content_type=CSV_TYPE, headers=headers)


def list_finished_jobs(call: ApiCall) -> Reply:
    """Handle `GET /services/jobs/histories`: list finished jobs, newest first."""
    since, until = parse_window(call.request.query, call.now, days=None, default=0.0)
    status = call.request.query.get("status", "success")
    jobs = [job for job in reversed(call.server.jobs.jobs.values()) if since <= job.at <= until]
    return _page(call, "histories", jobs if status == "success" else [])


def list_unfinished_jobs(call: ApiCall) -> Reply:
    """Handle `GET /services/jobs/monitors`: list unfinished jobs, of which there are none."""
    return _page(call, "monitors", [])


def _page(call: ApiCall, name: str, jobs: list[Job]) -> Reply:
    size = parse_whole_number(call.request.query.get("limit"), 50, low=1, high=200)
    start = parse_whole_number(call.request.query.get("offset"), 0)
    path = call.url(f"/services/jobs/{name}")
    details: JsonDict = {"total": len(jobs), "limit": size, "offset": start}
    if start + size < len(jobs):
        details["next_page"] = f"{path}?limit={size}&offset={start + size}"
    page = [_describe_job(job) for job in jobs[start : start + size]]
    url = f"{path}?limit={size}&offset={start}"
    return success_reply({"responseMessage": "OK", "url": url, "responseDetails": details, "jobs": page})


def _describe_job(job: Job) -> JsonDict:
    author, at = to_user_number(job.user), format_timestamp(job.at)
    return {
        "job_id": job.id, "title": job.title, "status": "SUCCESS", "created_by": author, "created_date": at,
        "modified_by": author, "modified_date": at, "run_start_date": at, "run_end_date": at,
    }  # fmt: skip


def _find_job(call: ApiCall) -> Job:
    text = call.args["id"]
    job = call.server.jobs.jobs.get(int(text)) if text.isdigit() else None
    if job is None:
        raise VaultError("INVALID_DATA", f"The job [{text[:50]}] does not exist")
    return job
