"""Text from devices cannot control the terminal: no colors, titles, clearing or reversed text."""

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

HOSTILE_TEXTS = [
    "\x1b[2J\x1b[H",  # clear the screen
    "\x1b]0;owned\x07",  # set the title
    "\x1b[31mred",
    "\x9b31mred",  # the same in one C1 control
    "all is well\rrm -rf",  # overwrite the line
    "safe\u202egnp.exe",  # reverse the text after it
    "\x08\x08\x08gone",
]
CONTROL_CHARACTERS = set(
    map(chr, [*range(9), *range(11, 32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)


def render(renderable, *, colors):
    written = io.StringIO()
    SafeConsole(
        file=written, force_terminal=colors, color_system="truecolor" if colors else None, width=60
    ).print(renderable, markup=False)
    return written.getvalue()


def in_table(text):
    table = Table("id", "message")
    table.add_row("e-1", Text(text))
    return table


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
@pytest.mark.parametrize("shape", [str, Text, in_table, lambda text: Padding(Text(text), (0, 0, 0, 2))])
def test_output_has_no_control_characters(text, shape):
    assert not CONTROL_CHARACTERS & set(render(shape(text), colors=False))


@given(st.text())
def test_any_text_is_printed_without_control_characters(text):
    assert not CONTROL_CHARACTERS & set(render(in_table(text), colors=False))
    assert not CONTROL_CHARACTERS & set(strip_control_characters(text))
    assert strip_control_characters(text) == text or CONTROL_CHARACTERS & set(text)


def test_styles_are_kept():
    assert "\x1b[1m" in render(Text("loud", style="bold"), colors=True)
    assert "\x1b[31m" not in render(Text("\x1b[31mred", style="bold"), colors=True)


@given(st.text())
def test_json_output_escapes_control_characters(text):
    with pytest.MonkeyPatch.context() as patched:
        written = io.StringIO()
        patched.setattr("sys.stdout", written)
        console.print_json({"message": text})
    assert json.loads(written.getvalue()) == {"message": text}
    assert not set(map(chr, [*range(10), *range(11, 32), *range(0x7F, 0xA0)])) & set(
        written.getvalue().rstrip("\n")
    )


def test_commands_strip_control_characters_from_events(tmp_path, monkeypatch, capsys):
    errors = [
        {
            "event_id": f"e{n}",
            "occurred_at": "2026-03-04T08:00:00Z",
            "user_id": f"u{n}",
            "message": text,
            "object": text,
        }
        for n, text in enumerate(HOSTILE_TEXTS)
    ]
    path = tmp_path / "errors.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in errors), encoding="utf-8")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["synclens", *words, "--store", str(tmp_path / "s.duckdb")])
        with pytest.raises(SystemExit):
            cli.main()
        result = capsys.readouterr()
        return result.out + result.err

    assert "Loaded" in run("load", str(path))
    with ingest.open_store(tmp_path / "s.duckdb") as store:
        assert store.execute(
            "SELECT count(*) FROM sync_error WHERE contains(message, chr(27))"
        ).fetchone() == (3,)
        issues = [row[0] for row in store.execute("SELECT DISTINCT issue_id FROM error").fetchall()]
    result = [run("triage"), run("issues"), run("fleet", "--all"), run("metric", "errors_by_object")]
    result += [run("history", f"u{n}") + run("explain-error", f"e{n}") for n in range(len(HOSTILE_TEXTS))]
    result += [run("issue", issue) for issue in issues]
    for one in result:
        assert one and not CONTROL_CHARACTERS & set(one)
