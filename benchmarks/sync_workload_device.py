"""The device of workload W in a separate process, so that its time and its peak memory are measured alone.

It reads one command per line and answers each with one line of JSON: the seconds, the bytes that came
down, and the largest memory that the process has had so far.

    python -m benchmarks.sync_workload_device FOLDER ADDRESS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sync_engine.device import syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import Edit, new_mobile_id, save
from sync_engine.device.http_env import HttpEnv

KINDS: dict[str, Callable[[Device], Awaitable[bool]]] = {
    "sign_in": syncs.sign_in,
    "incremental": syncs.incremental,
    "refresh": syncs.database_refresh,
}


class Counting(HttpEnv):
    """The real environment of a device; it also counts the bytes that come down."""

    bytes_down = 0

    async def call(self, request: bytes) -> bytes:
        reply = await super().send(request)
        self.bytes_down += len(reply)
        return reply


def peak_megabytes() -> float:
    """The largest resident memory of this process since it was started."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def save_new(device: Device, count: int) -> None:
    """Records made on the device, one press of Save each."""
    (account,) = device.data.execute(
        "SELECT id FROM record WHERE object = 'account__v' ORDER BY id LIMIT 1"
    ).fetchone()
    for n in range(count):
        fields = {"account__v": account, "summary__v": f"insight {n}", "detail__c": "lorem ipsum " * 8}
        save(
            device,
            [
                Edit(
                    operation="create",
                    object="medical_insight__v",
                    record_id=new_mobile_id(device),
                    fields=fields,
                )
            ],
        )


def held(device: Device) -> list[list[object]]:
    """What the device holds, as [id, revision], to be compared with what it should hold."""
    return [list(row) for row in device.data.execute("SELECT id, revision FROM record ORDER BY id")]


def serve(device: Device, env: Counting) -> None:
    """Answer commands until there are no more."""
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            command, _, rest = line.strip().partition(" ")
            before, began = env.bytes_down, time.perf_counter()
            answer: object = True
            if command == "save":
                save_new(device, int(rest))
            elif command == "held":
                answer = held(device)
            else:
                answer = runner.run(_one(KINDS[command], device))
            seconds = time.perf_counter() - began
            reply = {
                "answer": answer,
                "seconds": seconds,
                "bytes": env.bytes_down - before,
                "peak": peak_megabytes(),
            }
            print(json.dumps(reply), flush=True)


async def _one(kind: Callable[[Device], Awaitable[bool]], device: Device) -> bool:
    return await kind(device)


def main() -> None:
    folder, address = Path(sys.argv[1]), sys.argv[2]
    env = Counting(folder, address, clock=time.time)
    device = Device(
        device_id=f"d-{folder.name}", user_id="u1", password="p", platform="iPad", version="1", env=env
    )
    serve(device, env)
    env.close()


if __name__ == "__main__":
    main()
