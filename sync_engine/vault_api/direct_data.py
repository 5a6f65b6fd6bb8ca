"""Direct Data: daily full files, incremental files every 15 minutes, and audit trail files.

A file is built when it is first listed or downloaded and does not change afterwards, like a published file.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from sync_engine.json_docs import JsonDict
from sync_engine.protocol import VaultError
from sync_engine.vault_api.configuration_objects import creation_time
from sync_engine.vault_api.extracts import (
    DAY,
    QUARTER,
    WindowChanges,
    build_full_extracts,
    build_incremental_extracts,
    build_log_extracts,
    find_changes,
    pack_archive,
)
from sync_engine.vault_api.messages import Reply, failure_reply, file_reply, parse_timestamp, success_reply
from sync_engine.vault_api.objects import VAULT_ID
from sync_engine.vault_api.server_state import ApiCall

FULL_START = 946_684_800.0  # 2000-01-01, the documented start of every full file
FULL, INCREMENTAL, LOG = "full_directdata", "incremental_directdata", "log_directdata"
LETTERS = {FULL: "F", INCREMENTAL: "N", LOG: "L"}
KEPT_DAYS = {FULL: 2, INCREMENTAL: 10, LOG: 2}
_KINDS = {letter: kind for kind, letter in LETTERS.items()}
_EMPTY_INCREMENT = "an increment without changes after field changes: "
_NAME = re.compile(rf"{VAULT_ID}-(?P<stop>\d{{8}}-\d{{4}})-(?P<letter>[FNL])")


def list_files(call: ApiCall) -> Reply:
    """Handle `GET /services/directdata/files`: list the available files, oldest first.

    Parameters are `extract_type`, `start_time` and `stop_time`. Without `extract_type`, all types are listed.
    """
    _require_permission(call)
    parameters = call.request.query
    kind = parameters.get("extract_type")
    if kind is not None and kind not in LETTERS:
        raise VaultError(
            "INVALID_DATA", f"[{kind}] is not a valid extract_type; use one of {', '.join(LETTERS)}"
        )
    since = parse_timestamp(parameters["start_time"]) if parameters.get("start_time") else 0.0
    until = parse_timestamp(parameters["stop_time"]) if parameters.get("stop_time") else call.now
    changes = find_changes(call) if kind in (None, INCREMENTAL) else {}
    listed = [
        (stop, name, _list_file(call, name, stop, changes))
        for name in ([kind] if kind else LETTERS)
        for stop in _stop_times(call, name)
        if stop <= until and _start_time(name, stop) >= since
    ]
    data = [entry for _, _, entry in sorted(listed, key=lambda item: item[:2])]
    return success_reply({"responseDetails": {"total": len(data)}, "data": data})


def download_part(call: ApiCall) -> Reply:
    """Handle `GET /services/directdata/files/{part}`: return bytes, or JSON on failure."""
    _require_permission(call)
    name, _, number = call.args["part"].rpartition(".")
    parts = _split_parts(call, _find_file(call, name))
    if not re.fullmatch(r"\d{3}", number) or not 1 <= int(number) <= len(parts):
        raise VaultError("INVALID_DATA", f"The file [{call.args['part'][:100]}] does not exist")
    if call.server.faults.applies_to_first("fail-part"):
        return failure_reply(
            VaultError("UNEXPECTED_ERROR", "The file part could not be read"), response="EXCEPTION"
        )
    return file_reply(f"{name}.tar.gz.{number}", parts[int(number) - 1])


def _require_permission(call: ApiCall) -> None:
    """Raise VaultError unless the caller may read all records and logs, as Direct Data needs."""
    if not call.user.get("admin"):
        error_message = (
            f"User [{call.user['id']}] not licensed for permission [Application: API: Direct Data]."
        )
        raise VaultError("INSUFFICIENT_ACCESS", error_message)


def _stop_times(call: ApiCall, kind: str) -> list[float]:
    """Return the ends of the files that are kept, oldest first.

    Documented: no incremental file is available before the first full file.
    """
    created = creation_time(call.vault)
    if not created or call.now // DAY * DAY < created:
        return []
    step = QUARTER if kind == INCREMENTAL else DAY
    last = int(call.now // step)
    stops = [n * step for n in range(last - int(KEPT_DAYS[kind] * DAY // step) + 1, last + 1)]
    return [stop for stop in stops if stop >= created]


def _find_file(call: ApiCall, name: str) -> bytes:
    """Return the bytes of a file by its name. Raises VaultError if it is not available."""
    match = _NAME.fullmatch(name)
    if not _stop_times(call, FULL):
        raise VaultError("OPERATION_NOT_ALLOWED", "Initial file being generated. Please check again later.")
    if match is not None:
        kind = _KINDS[match["letter"]]
        try:
            stop = datetime.strptime(match["stop"], "%Y%m%d-%H%M").replace(tzinfo=UTC).timestamp()
        except ValueError:
            stop = -1.0
        if stop in _stop_times(call, kind):
            changes = find_changes(call) if kind == INCREMENTAL and name not in call.server.files else {}
            return _publish(call, kind, stop, changes)[1]
    raise VaultError("INVALID_DATA", f"The file [{name[:100]}] does not exist")


def _start_time(kind: str, stop: float) -> float:
    step = QUARTER if kind == INCREMENTAL else DAY
    return FULL_START if kind == FULL else stop - step


def _file_name(kind: str, stop: float) -> str:
    return f"{VAULT_ID}-{datetime.fromtimestamp(stop, UTC):%Y%m%d-%H%M}-{LETTERS[kind]}"


def _format_minute(at: float) -> str:
    """Format a time as file listings do: UTC, without seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _split_parts(call: ApiCall, packed: bytes) -> list[bytes]:
    size = call.server.part_bytes
    return [packed[at : at + size] for at in range(0, len(packed), size)]


def _list_file(call: ApiCall, kind: str, stop: float, changes: dict[float, WindowChanges]) -> JsonDict:
    failed_count = call.server.faults.setting("unpublished") if kind == INCREMENTAL else 0
    if failed_count and stop in _stop_times(call, kind)[-failed_count:]:
        error_message = f"Failed to publish {kind} file. No other action is needed at this time."
        error = {"next_retry": _format_minute(stop + 1800), "message": error_message}
        return {"name": _file_name(kind, stop), "error": error}
    return _file_entry(call, kind, stop, changes)


def _file_entry(call: ApiCall, kind: str, stop: float, changes: dict[float, WindowChanges]) -> JsonDict:
    name, start = _file_name(kind, stop), _start_time(kind, stop)
    total, packed = _publish(call, kind, stop, changes)
    parts = []
    for number, part in enumerate(_split_parts(call, packed), start=1):
        address = f"{call.request.base}{call.url('/services/directdata/files')}/{name}.{number:03d}"
        entry: JsonDict = {
            "name": f"{name}.{number:03d}",
            "filename": f"{name}.tar.gz.{number:03d}",
            "filepart": number,
            "size": len(part),
        }
        if not call.server.faults.setting("no-md5"):
            entry["md5checksum"] = hashlib.md5(part, usedforsecurity=False).hexdigest()
        parts.append(entry | {"url": address})
    times = {"start_time": _format_minute(start), "stop_time": _format_minute(stop)}
    attributes = {"name": name, "filename": f"{name}.tar.gz", "extract_type": kind} | times
    sizes = {"record_count": total, "size": len(packed), "fileparts": len(parts)}
    return attributes | sizes | {"filepart_details": parts}


def _publish(call: ApiCall, kind: str, stop: float, changes: dict[float, WindowChanges]) -> tuple[int, bytes]:
    """Return the row count and bytes of a file, which is built only once.

    Incremental files without changes share the same bytes, as long as no field changes.
    """
    name, files = _file_name(kind, stop), call.server.files
    if name not in files:
        window = changes.get(stop, WindowChanges())
        empty = kind == INCREMENTAL and not window
        shared_name = f"{_EMPTY_INCREMENT}{sum(len(w.fields) for at, w in changes.items() if at <= stop)}"
        if empty and shared_name in files:
            files[name] = files[shared_name]
            return files[name]
        if kind == INCREMENTAL:
            extracts = list(build_incremental_extracts(call, window, stop))
        else:
            build = build_full_extracts if kind == FULL else build_log_extracts
            extracts = list(build(call, stop))
        total = sum(len(extract.rows) for extract in extracts)
        files[name] = (total, pack_archive(call, extracts, stop, full=kind == FULL))
        if empty:
            files[shared_name] = files[name]
    return files[name]
