"""`synclens device`: a real device in a folder of its own, against a Vault behind HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text

from sync_engine.device import edits, errors_tab, syncs, widgets
from sync_engine.device.client import Device
from sync_engine.device.http_env import HttpEnv
from sync_engine.device.sync_run import close_interrupted
from sync_engine.protocol import DeviceError
from synclens import console
from synclens.clock import now
from synclens.options import JsonOption

device_app = typer.Typer(help="A real device: sign in, work offline, sync.", no_args_is_help=True)

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="SYNCLENS_DEVICE", help="The folder that this device lives in.")
]
KillOption = Annotated[
    str | None,
    typer.Option(
        help="End this process as `kill -9` would at a point such as call.answered, to try recovery."
    ),
]
FieldsArgument = Annotated[list[str], typer.Argument(help="Fields as name=value; a value may be JSON.")]
HOME = Path("device")
IDENTITY = ("user_id", "platform", "version", "device_id", "address")
KINDS: dict[str, Callable[[Device], Awaitable[bool]]] = {
    "auto": syncs.autosync,
    "incremental": syncs.incremental,
    "refresh": syncs.database_refresh,
    "non-blocking": syncs.non_blocking,
    "mini": syncs.mini,
    "media": syncs.download_all_media,
}


@device_app.command("sign-in")
def sign_in(
    user: Annotated[str, typer.Option(help="The user's id in the Vault.")],
    password: Annotated[
        str,
        typer.Option(envvar="SYNCLENS_DEVICE_PASSWORD", prompt=True, hide_input=True, help="Never stored."),
    ],
    address: Annotated[
        str, typer.Option(help="Where `synclens vault serve` listens.")
    ] = "http://127.0.0.1:8700",
    platform: Annotated[str, typer.Option(help="iPad, iPhone or Windows.")] = "iPad",
    version: Annotated[str, typer.Option(help="The version of the app.")] = "253.0.100",
    home: HomeOption = HOME,
) -> None:
    """Sign in; the session is kept in the device's folder, the password is not.

    Example: synclens device sign-in --user 1000200 --home my-ipad
    """
    with _device(
        home, given={"user_id": user, "platform": platform, "version": version, "address": address}
    ) as device:
        device.password = password
        if not asyncio.run(syncs.sign_in(device)):
            _fail(
                f"user {user} could not sign in at {address}: {_reason(device)}",
                "Put that right, then sign in again.",
            )
    console.info(f"Signed in as {user}.")


@device_app.command()
def create(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT", help="Such as call2__v.")],
    fields: FieldsArgument,
    home: HomeOption = HOME,
) -> None:
    """Make a record; its id on this device is printed.

    Example: synclens device create call2__v account__v=V000000000000001 call_date__v=2026-03-02
    """
    with _device(home) as device:
        record_id = edits.new_id(device)
        edits.save(
            device,
            [edits.Edit(operation="create", object=object_name, record_id=record_id, fields=_fields(fields))],
        )
    console.print_json({"id": record_id})


@device_app.command()
def edit(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT")],
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    fields: FieldsArgument,
    home: HomeOption = HOME,
) -> None:
    """Change fields of a record that is on the device.

    Example: synclens device edit account__v V000000000000001 name__v='Dr Ruiz'
    """
    with _device(home) as device:
        if edits.read(device, record_id) is None:
            _fail(
                f"{record_id} is not on this device",
                "Sync first, or list what is here with `synclens device list`.",
            )
        edits.save(
            device,
            [edits.Edit(operation="update", object=object_name, record_id=record_id, fields=_fields(fields))],
        )


@device_app.command()
def delete(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT")],
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    home: HomeOption = HOME,
) -> None:
    """Delete a record; it leaves Vault with the next sync.

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
    """Print the object's records on the device as JSON, pending edits included for those that Vault knows.

    Example: synclens device list account__v
    """
    with _device(home) as device:
        found = [edits.read(device, one) for one in edits.ids_on(device, object_name)]
    console.print_json([doc for doc in found if doc is not None])


@device_app.command()
def sync(
    kind: Annotated[str, typer.Argument(help=f"One of: {', '.join(KINDS)}.")] = "incremental",
    home: HomeOption = HOME,
    kill_at: KillOption = None,
) -> None:
    """Sync; exit code 1 says that it did not end well.

    Example: synclens device sync refresh --home my-ipad
    """
    if kind not in KINDS:
        _fail(f"there is no sync {kind!r}", f"Take one of: {', '.join(KINDS)}.")
    with _device(home, kill_at=kill_at) as device:
        if device.session is None:
            _fail("nobody is signed in on this device", "Sign in with `synclens device sign-in`.")
        done = asyncio.run(_synced(device, KINDS[kind]))
    console.info(
        "The sync ended well." if done else "The sync did not end well; see `synclens device errors`."
    )
    if not done:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _reason(device: Device) -> str:
    """What went wrong last, in the words of the error that was reported."""
    error = device.env.last_error if isinstance(device.env, HttpEnv) else None
    if error is not None:
        return f"{error.error_type}: {error.message}"
    return "records that Vault refused are in the way; see `synclens device errors`"


async def _synced(device: Device, body: Callable[[Device], Awaitable[bool]]) -> bool:
    return await body(device)


@device_app.command()
def apply(home: HomeOption = HOME) -> None:
    """Make visible what a non-blocking sync has brought; new versions of downloaded media follow.

    Example: synclens device apply --home my-ipad
    """
    with _device(home) as device:
        applied = syncs.apply_update(device)
        if applied:
            asyncio.run(_synced(device, syncs.follow_apply))
        console.info("Applied." if applied else "There is nothing to apply.")


@device_app.command()
def status(home: HomeOption = HOME) -> None:
    """Print how the device stands: session, records, pending uploads, errors, last sync.

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
                "pending_uploads": edits.pending_count(device),
                "errors": len(errors_tab.entries(device)),
                "last_sync": device.get("last_sync"),
                "update_ready": device.get("update_ready") is not None,
            }
        )


@device_app.command()
def widget(home: HomeOption = HOME) -> None:
    """Print what the Sync widget and the Status widget show.

    Example: synclens device widget --home my-ipad
    """
    with _device(home) as device:
        shown = {"sync": asdict(widgets.sync_widget(device)), "status": asdict(widgets.status_widget(device))}
    console.print_json(shown)


@device_app.command()
def errors(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Show the Errors tab: one entry for each failing record, with what may be done about it.

    Example: synclens device errors --home my-ipad
    """
    with _device(home) as device:
        found = errors_tab.entries(device)
    if as_json:
        console.print_json([asdict(one) | {"actions": list(one.actions)} for one in found])
        return
    for one in found:
        console.print_output(
            Text(f"{one.object} {one.record_id}: {one.operation} refused, {one.type}: {one.message}")
        )
        console.print_output(Text(f"  key {one.key}; actions: {', '.join(('amend', *one.actions))}"))


@device_app.command()
def amend(
    key: Annotated[str, typer.Argument(help="As `errors` shows it.")],
    record_id: Annotated[str, typer.Argument(metavar="ID")],
    fields: FieldsArgument,
    home: HomeOption = HOME,
) -> None:
    """Change a refused record, so that the next sync can send it again.

    Example: synclens device amend KEY V000000000000001 name__v='Dr Ruiz', KEY as `errors` shows it
    """
    _act(home, lambda device, key: edits.amend(device, key, record_id, _fields(fields)), key)


@device_app.command()
def undo(key: Annotated[str, typer.Argument(help="As `errors` shows it.")], home: HomeOption = HOME) -> None:
    """Take back a refused update; the next incremental sync brings the object's whole table again.

    Example: synclens device undo KEY, KEY as `errors` shows it
    """
    _act(home, errors_tab.undo, key)


@device_app.command()
def undelete(
    key: Annotated[str, typer.Argument(help="As `errors` shows it.")], home: HomeOption = HOME
) -> None:
    """Take back a refused delete; the next incremental sync becomes a database refresh.

    Example: synclens device undelete KEY, KEY as `errors` shows it
    """
    _act(home, errors_tab.undelete, key)


def _act(home: Path, action: Callable[[Device, str], object], key: str) -> None:
    with _device(home) as device:
        try:
            action(device, key)
        except ValueError as error:
            _fail(str(error), "See what can be done with `synclens device errors`.")


@contextmanager
def _device(
    home: Path, *, given: dict[str, str] | None = None, kill_at: str | None = None
) -> Iterator[Device]:
    """The device in a folder; `given` is written there when somebody signs in."""
    known = _identity(home) | (given or {})
    if "user_id" not in known:
        _fail(f"{home} is no device yet", "Sign in first: synclens device sign-in --user ID --home FOLDER")
    env = HttpEnv(home, known["address"], clock=lambda: now().timestamp(), kill_at=kill_at)
    try:
        device = Device(
            device_id=known.get("device_id")
            or f"{known['platform'].lower()}-{env.rand('ids').getrandbits(40):010x}",
            user_id=known["user_id"],
            password="",
            platform=known["platform"],
            version=known["version"],
            env=env,
        )
        if given is not None:
            _write_identity(home, {**known, "device_id": device.device_id})
        close_interrupted(device)
        yield device
    except DeviceError as problem:
        _fail(problem.message, "Let the other process finish; a device is one process at a time.")
    finally:
        env.close()


def _identity(home: Path) -> dict[str, str]:
    path = home / "device.json"
    if not path.exists():
        return {}
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return known


def _write_identity(home: Path, known: dict[str, str]) -> None:
    """Who the device is; written beside and renamed, so that a crash leaves the former or the new one."""
    fresh = home / "device.new"
    fresh.write_text(json.dumps({name: known[name] for name in IDENTITY}), encoding="utf-8")
    fresh.replace(home / "device.json")


def _fields(texts: list[str]) -> dict[str, Any]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            _fail(f"{text!r} is no field", "Write fields as name=value.")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    """Numbers, true, false and null are read as JSON; everything else is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool | list) or value is None else text


def _fail(message: str, next_step: str) -> NoReturn:
    console.error(message, next_step)
    raise typer.Exit(console.EXIT_COULD_NOT_RUN)
