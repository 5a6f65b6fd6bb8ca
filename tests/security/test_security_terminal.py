"""Text from devices does not command the terminal that shows it: no colours, titles, clearing or turned letters."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import ingest
from synclens import cli, console
from synclens.safe_console import SafeConsole, strip_control_characters

COMMANDS = [
    "\x1b[2J\x1b[H",  # clear the screen
    "\x1b]0;owned\x07",  # set the title
    "\x1b[31mred",
    "\x9b31mred",  # the same in one C1 control
    "all is well\rrm -rf",  # overwrite the line
    "safe\u202egnp.exe",  # turn what follows around
    "\x08\x08\x08gone",
]
OBEYED = set(
    map(chr, [*range(9), *range(11, 32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)


def shown(renderable, *, colours):
    written = io.StringIO()
    SafeConsole(
        file=written, force_terminal=colours, color_system="truecolor" if colours else None, width=60
    ).print(renderable, markup=False)
    return written.getvalue()


def in_a_table(text):
    table = Table("id", "message")
    table.add_row("e-1", Text(text))
    return table


@pytest.mark.parametrize("text", COMMANDS)
@pytest.mark.parametrize("shape", [str, Text, in_a_table, lambda text: Padding(Text(text), (0, 0, 0, 2))])
def test_what_is_shown_commands_nothing(text, shape):
    assert not OBEYED & set(shown(shape(text), colours=False))


@given(st.text())
def test_no_text_at_all_commands_anything(text):
    assert not OBEYED & set(shown(in_a_table(text), colours=False))
    assert not OBEYED & set(strip_control_characters(text))
    assert strip_control_characters(text) == text or OBEYED & set(text)


def test_our_own_styles_are_kept():
    assert "\x1b[1m" in shown(Text("loud", style="bold"), colours=True)
    assert "\x1b[31m" not in shown(Text("\x1b[31mred", style="bold"), colours=True)


@given(st.text())
def test_json_carries_the_text_whole_and_commands_nothing(text):
    with pytest.MonkeyPatch.context() as patched:
        written = io.StringIO()
        patched.setattr("sys.stdout", written)
        console.print_json({"message": text})
    assert json.loads(written.getvalue()) == {"message": text}
    assert not set(map(chr, [*range(10), *range(11, 32), *range(0x7F, 0xA0)])) & set(
        written.getvalue().rstrip("\n")
    )


def test_the_commands_show_hostile_events_inert(tmp_path, monkeypatch, capsys):
    errors = [
        {
            "event_id": f"e{n}",
            "occurred_at": "2026-03-04T08:00:00Z",
            "user_id": f"u{n}",
            "message": text,
            "object": text,
        }
        for n, text in enumerate(COMMANDS)
    ]
    path = tmp_path / "errors.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in errors), encoding="utf-8")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["synclens", *words, "--store", str(tmp_path / "s.duckdb")])
        with pytest.raises(SystemExit):
            cli.main()
        said = capsys.readouterr()
        return said.out + said.err

    assert "Loaded" in run("load", str(path))
    with ingest.open_store(tmp_path / "s.duckdb") as store:
        assert store.execute(
            "SELECT count(*) FROM sync_error WHERE contains(message, chr(27))"
        ).fetchone() == (3,)
        issues = [row[0] for row in store.execute("SELECT DISTINCT issue_id FROM error").fetchall()]
    said = [run("triage"), run("issues"), run("fleet", "--all"), run("metric", "errors_by_object")]
    said += [run("history", f"u{n}") + run("explain-error", f"e{n}") for n in range(len(COMMANDS))]
    said += [run("issue", issue) for issue in issues]
    for one in said:
        assert one and not OBEYED & set(one)
