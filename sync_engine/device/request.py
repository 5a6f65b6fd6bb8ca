"""One request and its reply, with a limited number of retries."""

from __future__ import annotations

from sync_engine.device.client import Device
from sync_engine.device.sync_run import SyncRun
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import TransportError, VaultError, binary_body, decode, encode

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 2.0


async def send_request(device: Device, run: SyncRun, request: JsonDict) -> JsonDict:
    """Send a request and return the reply. Raises VaultError, or TransportError when every attempt failed."""
    reply, _ = await request_binary(device, run, request)
    return reply


class SyncCanceled(Exception):
    """The user pressed Cancel."""


async def request_binary(device: Device, run: SyncRun, request: JsonDict) -> tuple[JsonDict, memoryview]:
    """Send a request and return the reply with its binary body. Raises the same errors as `send_request`."""
    # Only a sync that shows its progress has a Cancel button; signing in and autosync continue.
    if device.cancel_at is not None and run.kind != "autosync" and device.env.now() >= device.cancel_at:
        device.cancel_at = None
        raise SyncCanceled
    for attempt in range(1, ATTEMPTS + 1):
        body = encode(device.identity() | request)
        run.bytes_uploaded += len(body)
        try:
            raw = await device.env.send(body)
        except TransportError as error:
            if not error.transient or attempt == ATTEMPTS:
                raise
            run.retries += 1
            if "number" in request:
                request = request | {"number": next_upload_number(device)}
            await device.env.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
            continue
        run.bytes_downloaded += len(raw)
        return _parse_reply(raw), binary_body(raw)
    raise AssertionError("the last attempt either returned or raised")


def next_upload_number(device: Device) -> int:
    """Return the next number in the device's upload lane, stored before it is used."""
    number = int(device.get("number", 0)) + 1
    device.put("number", number)
    return number


def _parse_reply(raw: bytes) -> JsonDict:
    try:
        reply = decode(raw)
    except ValueError as decode_error:
        raise TransportError(
            "INVALID_RESPONSE",
            "The reply is not from Vault; a portal or proxy may have answered",
            transient=False,
        ) from decode_error
    if reply.get("responseStatus") != "SUCCESS":
        error = reply["errors"][0]
        raise VaultError(
            error["type"],
            error["message"],
            object=error.get("object"),
            field=error.get("field"),
            record_id=error.get("record_id"),
        )
    return reply
