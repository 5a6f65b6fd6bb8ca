"""Check the texts of the repository against the word list in wording.toml.

Usage: python .ci/wording.py [PATH ...]. Checks docstrings, comments, messages and names in Python, comments in SQL
and TOML, prose in Markdown and notebooks. Prints one line per match and exits 1 if there is any.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads(Path(__file__).with_name("wording.toml").read_text(encoding="utf-8"))
WORDS = [(re.compile(word["pattern"], re.IGNORECASE), word["use"]) for word in CONFIG["word"]]
GLOSSARY_ROW = re.compile(r"^\| (\*\*.+?\*\*.*?) \|.*\| (.*?) \|$", re.MULTILINE)
BANNED_NAMES = frozenset(CONFIG["names"]["banned"])
QUOTED = re.compile(r"``[^`]*``|`[^`\n]*`|\"[^\"\n]*\"|“[^”\n]*”|<[^<>\n]*>|\{[^{}\n]*\}|https?://\S+")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|CREATE|DELETE|ATTACH|COPY|PRAGMA|WHERE|IS (NOT )?NULL)\b")

TOML_TEXT = re.compile(r'^(?:title|description|text) = "(.*)"', re.MULTILINE)

Text = tuple[int, str]


def glossary_words() -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield the words that the glossary replaces: those in code style in its last column."""
    for term, replaced in GLOSSARY_ROW.findall((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")):
        for word in re.findall(r"`([^`]+)`", replaced):
            singular = re.escape(word.removesuffix("s"))
            yield re.compile(rf"\b{singular}s?\b", re.IGNORECASE), term.replace("*", "")


def texts_of(path: Path, *, messages: bool) -> Iterator[Text]:
    """Yield (line, text) for each text of a file that a user reads."""
    source = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".py":
            yield from _python(source, messages=messages)
        case ".sql":
            yield from _comments(source, "--")
        case ".toml" | ".yml" | ".yaml" | "":
            yield from _comments(source, "#")
            yield from ((0, text) for text in TOML_TEXT.findall(source))
        case ".md":
            yield from _markdown(source)
        case ".ipynb":
            for cell in json.loads(source)["cells"]:
                if cell["cell_type"] == "markdown":
                    yield from ((0, text) for _, text in _markdown("".join(cell["source"])))


def names_of(path: Path) -> Iterator[Text]:
    """Yield (line, name) for each name that a Python file binds."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def problems_of(path: Path) -> Iterator[str]:
    """Yield one line per word or name to replace."""
    shown = path.relative_to(ROOT).as_posix()
    messages = not _is_any(shown, CONFIG["skip"]["text"])
    for line, text in texts_of(path, messages=messages):
        prose = QUOTED.sub("", text)
        for pattern, use in (*WORDS, *GLOSSARY_WORDS):
            if match := pattern.search(prose):
                yield f"{shown}:{line}: “{match[0]}” → {use}: {_around(prose, match)}"
    for line, name in names_of(path):
        if name.strip("_") in BANNED_NAMES:
            yield f"{shown}:{line}: the name {name} does not state what it holds"


GLOSSARY_WORDS = tuple(glossary_words())


def _python(source: str, *, messages: bool) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                docstrings.add(id(statement.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings or (messages and _is_prose(node.value)):
                yield node.lineno, node.value
            elif messages and SQL.search(node.value):
                yield from ((node.lineno, text) for _, text in _comments(node.value, "--"))


def _is_prose(text: str) -> bool:
    return " " in text.strip() and not SQL.search(text)


def _comments(source: str, mark: str) -> Iterator[Text]:
    for number, line in enumerate(source.splitlines(), start=1):
        _, found_mark, comment = line.partition(mark)
        if found_mark:
            yield number, comment


def _markdown(source: str) -> Iterator[Text]:
    prose = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), source)
    yield from enumerate(prose.splitlines(), start=1)


def _around(text: str, match: re.Match[str]) -> str:
    return " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())


def _is_any(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _files(arguments: list[str]) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    kinds = {".py", ".sql", ".toml", ".yml", ".yaml", ".md", ".ipynb"}
    return [
        ROOT / name
        for name in sorted(set(listed))
        if (Path(name).suffix in kinds or Path(name).name in {"Makefile", "Containerfile"})
        and (ROOT / name).exists()
        and not _is_any(name, CONFIG["skip"]["files"])
    ]


def main() -> int:
    """Check the files named on the command line, or all."""
    problems = [problem for path in _files(sys.argv[1:]) for problem in problems_of(path)]
    print(*problems, sep="\n")
    print(f"{len(problems)} words or names to replace." if problems else "Wording is clean.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
