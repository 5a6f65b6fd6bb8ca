"""`synclens device`: run a device that syncs with a Vault over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from rich.text import Text

from sync_engine.device import edits, errors_tab, syncs, widgets
from sync_engine.device.client import Device
from sync_engine.device.http_env import HttpEnv
from sync_engine.device.sync_run import close_interrupted_syncs
from sync_engine.protocol import DeviceError
from synclens import console
from synclens.clock import now
from synclens.options import JsonOption

device_app = typer.Typer(
    help="Run a device: sign in, edit records offline, sync.", no_args_is_help=True, rich_markup_mode=None
)

HomeOption = Annotated[Path, typer.Option("--home", envvar="SYNCLENS_DEVICE", help="Folder of the device.")]
KillOption = Annotated[
    str | None,
    typer.Option(help="Point at which to kill this process, such as call.answered, to test recovery."),
]
KeyArgument = Annotated[str, typer.Argument(help="Entry key from `synclens device errors`.")]
FieldsArgument = Annotated[list[str], typer.Argument(help="Fields as name=value. A value may be JSON.")]
HOME = Path("device")
IDENTITY = ("user_id", "platform", "version", "device_id", "address", "clock_offset")
"""What a device keeps about itself. `clock_offset` is how far the Vault's clock is ahead, in seconds."""
SYNC_TYPES: dict[str, Callable[[Device], Awaitable[bool]]] = {
    "auto": syncs.autosync,
    "incremental": syncs.incremental,
    "refresh": syncs.database_refresh,
    "non-blocking": syncs.non_blocking,
    "mini": syncs.mini,
    "media": syncs.download_all_media,
}


@device_app.command("sign-in")
def sign_in(
    user: Annotated[str, typer.Option(help="User id in the Vault.")],
    password: Annotated[
        str,
        typer.Option(
            envvar="SYNCLENS_DEVICE_PASSWORD",
            prompt=True,
            hide_input=True,
            help="Password; it is not stored.",
        ),
    ],
    address: Annotated[
        str, typer.Option(help="Address of `synclens vault serve`.")
    ] = "http://127.0.0.1:8700",
    platform: Annotated[str, typer.Option(help="Platform: iPad, iPhone or Windows.")] = "iPad",
    version: Annotated[str, typer.Option(help="App version.")] = "253.0.100",
    home: HomeOption = HOME,
) -> None:
    """Sign in. The session is stored in the device's folder, the password is not.

    The device uses the time of the Vault, which it reads from the reply.

    Example: synclens device sign-in --user 1000200 --home my-ipad
    """
    identity = {"user_id": user, "platform": platform, "version": version, "address": address}
    with _device(home, new_identity=identity) as device:
        device.password = password
        if not asyncio.run(syncs.sign_in(device)):
            _fail(
                f"user {user} could not sign in at {address}: {_last_error(device)}",
                "Fix the reason, then sign in again.",
            )
        ahead = cast("HttpEnv", device.env).vault_clock_offset
    stored = _read_identity(home)
    offset = float(stored.get("clock_offset", 0.0)) + ahead
    _write_identity(home, stored | {"clock_offset": f"{offset:.0f}"})
    console.info(f"Signed in as {user}.")


@device_app.command()
def create(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT", help="Object name, such as call2__v.")],
    fields: FieldsArgument,
    home: HomeOption = HOME,
) -> None:
    """Create a record and print its local id.

    Example: synclens device create call2__v account__v=V000000000000001 call_date__v=2026-03-02
    """
    with _device(home) as device:
        record_id = edits.new_mobile_id(device)
        edits.save(
            device,
            [
                edits.Edit(
                    operation="create", object=object_name, record_id=record_id, fields=_parse_fields(fields)
                )
            ],
        )
    console.print_json({"id": record_id})


@device_app.command()
def edit(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT")],
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    fields: FieldsArgument,
    home: HomeOption = HOME,
) -> None:
    """Change fields of a record on the device.

    Example: synclens device edit account__v V000000000000001 name__v='Dr Ruiz'
    """
    with _device(home) as device:
        if edits.read_record(device, record_id) is None:
            _fail(
                f"{record_id} is not on this device",
                "Sync first, or list the records with `synclens device list`.",
            )
        edits.save(
            device,
            [
                edits.Edit(
                    operation="update", object=object_name, record_id=record_id, fields=_parse_fields(fields)
                )
            ],
        )


@device_app.command()
def delete(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT")],
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = HOME,
) -> None:
    """Delete a record. The next sync deletes it in the Vault.

    Example: synclens device delete call2__v V000000000000001
    """
    with _device(home) as device:
        edits.save(
            device, [edits.Edit(operation="delete", object=object_name, record_id=record_id, fields={})]
        )


@device_app.command("list")
def list_records(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT")],
    home: HomeOption = HOME,
) -> None:
    """Print the records of an object on the device as JSON.

    Pending edits are included for records that exist in the Vault.

    Example: synclens device list account__v
    """
    with _device(home) as device:
        records = [
            edits.read_record(device, record_id) for record_id in edits.list_record_ids(device, object_name)
        ]
    console.print_json([record for record in records if record is not None])


@device_app.command()
def sync(
    sync_type: Annotated[
        str, typer.Argument(metavar="TYPE", help=f"Sync type: {', '.join(SYNC_TYPES)}.")
    ] = "incremental",
    home: HomeOption = HOME,
    kill_at: KillOption = None,
) -> None:
    """Sync with the Vault. Exits 1 if the sync fails.

    Example: synclens device sync refresh --home my-ipad
    """
    if sync_type not in SYNC_TYPES:
        _fail(f"there is no sync type {sync_type!r}", f"Use one of: {', '.join(SYNC_TYPES)}.")
    with _device(home, kill_at=kill_at) as device:
        if device.session is None:
            _fail("no user is signed in on this device", "Sign in with `synclens device sign-in`.")
        succeeded = asyncio.run(_run_sync(device, SYNC_TYPES[sync_type]))
    console.info("The sync succeeded." if succeeded else "The sync failed; see `synclens device errors`.")
    if not succeeded:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _last_error(device: Device) -> str:
    """Return the text of the last error that was reported."""
    error = device.env.last_error if isinstance(device.env, HttpEnv) else None
    if error is not None:
        return f"{error.error_type}: {error.message}"
    return "refused records block the sync; see `synclens device errors`"


async def _run_sync(device: Device, run: Callable[[Device], Awaitable[bool]]) -> bool:
    return await run(device)


@device_app.command()
def apply(home: HomeOption = HOME) -> None:
    """Apply the data of a non-blocking sync, then update downloaded media.

    Example: synclens device apply --home my-ipad
    """
    with _device(home) as device:
        applied = syncs.apply_update(device)
        if applied:
            asyncio.run(_run_sync(device, syncs.sync_media_after_apply))
        console.info("Applied." if applied else "Nothing to apply.")


@device_app.command()
def status(home: HomeOption = HOME) -> None:
    """Print the device status: session, records, pending uploads, errors, last sync.

    Example: synclens device status --home my-ipad
    """
    with _device(home) as device:
        row = device.data.execute("SELECT count(*) FROM record").fetchone()
        console.print_json(
            {
                "user": device.user_id,
                "device": device.device_id,
                "signed_in": device.session is not None,
                "records": int(row[0]),
                "pending_uploads": edits.count_pending_edits(device),
                "errors": len(errors_tab.entries(device)),
                "last_sync": device.get("last_sync"),
                "update_ready": device.get("update_ready") is not None,
            }
        )


@device_app.command()
def widget(home: HomeOption = HOME) -> None:
    """Print the contents of the Sync widget and the Status widget.

    Example: synclens device widget --home my-ipad
    """
    with _device(home) as device:
        widget_contents = {
            "sync": asdict(widgets.sync_widget(device)),
            "status": asdict(widgets.status_widget(device)),
        }
    console.print_json(widget_contents)


@device_app.command()
def errors(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Show the Errors tab: each failing record and the available actions.

    Example: synclens device errors --home my-ipad
    """
    with _device(home) as device:
        entries = errors_tab.entries(device)
    if as_json:
        console.print_json([asdict(entry) | {"actions": list(entry.actions)} for entry in entries])
        return
    for entry in entries:
        console.print_output(
            Text(
                f"{entry.object} {entry.record_id}: {entry.operation} refused, {entry.type}: {entry.message}"
            )
        )
        console.print_output(Text(f"  key {entry.key}; actions: {', '.join(('amend', *entry.actions))}"))


@device_app.command()
def amend(
    key: KeyArgument,
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    fields: FieldsArgument,
    home: HomeOption = HOME,
) -> None:
    """Change a refused record. The next sync sends it again.

    Example: synclens device amend KEY V000000000000001 name__v='Dr Ruiz'
    """

    def correct(device: Device, entry_key: str) -> None:
        edits.correct_refused_edit(device, entry_key, record_id, _parse_fields(fields))

    _run_action(home, correct, key)


@device_app.command()
def undo(
    key: KeyArgument,
    home: HomeOption = HOME,
) -> None:
    """Undo a refused update. The next incremental sync downloads the object again in full.

    Example: synclens device undo KEY
    """
    _run_action(home, errors_tab.undo, key)


@device_app.command()
def undelete(
    key: KeyArgument,
    home: HomeOption = HOME,
) -> None:
    """Undo a refused delete. The next incremental sync becomes a database refresh.

    Example: synclens device undelete KEY
    """
    _run_action(home, errors_tab.undelete, key)


def _run_action(home: Path, action: Callable[[Device, str], object], key: str) -> None:
    with _device(home) as device:
        try:
            action(device, key)
        except ValueError as error:
            _fail(str(error), "List the available actions with `synclens device errors`.")


@contextmanager
def _device(
    home: Path, *, new_identity: dict[str, str] | None = None, kill_at: str | None = None
) -> Iterator[Device]:
    """Open the device in a folder. A sign-in stores its `new_identity` there."""
    identity = _read_identity(home) | (new_identity or {})
    if "user_id" not in identity:
        _fail(
            f"there is no device in {home}", "Sign in first: synclens device sign-in --user ID --home FOLDER"
        )
    clock_offset = float(identity.get("clock_offset", 0.0))
    env = HttpEnv(home, identity["address"], clock=lambda: now().timestamp() + clock_offset, kill_at=kill_at)
    try:
        device = Device(
            device_id=identity.get("device_id")
            or f"{identity['platform'].lower()}-{env.random_stream('ids').getrandbits(40):010x}",
            user_id=identity["user_id"],
            password="",
            platform=identity["platform"],
            version=identity["version"],
            env=env,
        )
        if new_identity is not None:
            _write_identity(home, {**identity, "device_id": device.device_id})
        close_interrupted_syncs(device)
        yield device
    except DeviceError as error:
        _fail(error.message, "Wait until the other process has finished; only one process can use a device.")
    finally:
        env.close()


def _read_identity(home: Path) -> dict[str, str]:
    path = home / "device.json"
    if not path.exists():
        return {}
    identity: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return identity


def _write_identity(home: Path, identity: dict[str, str]) -> None:
    """Store the identity of the device atomically: a crash leaves the previous or the new file."""
    new_file = home / "device.new"
    stored = {name: identity[name] for name in IDENTITY if name in identity}
    new_file.write_text(json.dumps(stored), encoding="utf-8")
    new_file.replace(home / "device.json")


def _parse_fields(texts: list[str]) -> dict[str, Any]:
    fields = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            _fail(f"{text!r} is not a field", "Write fields as name=value.")
        fields[name] = _parse_value(value)
    return fields


def _parse_value(text: str) -> Any:
    """Parse numbers, lists, true, false and null as JSON. Any other value is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool | list) or value is None else text


def _fail(message: str, next_step: str) -> NoReturn:
    console.error(message, next_step)
    raise typer.Exit(console.EXIT_COULD_NOT_RUN)
