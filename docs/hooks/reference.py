"""Pages of the site that are written from the product's own data, so that they cannot disagree with it.

MkDocs calls `on_files` once per build (https://www.mkdocs.org/user-guide/configuration/#hooks). Each page is a
function of what it describes: metrics, causes, lint rules, tables, commands. Text out of the data files is
Markdown already where they are Markdown (playbooks), and escaped where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import analysis
import ingest
from analysis.classification.catalogue import load_catalogue
from synclens import cli

_QUESTION = re.compile(r"^(\S[^\n?]*\?) {2,}((?:.+\n(?: {2,}.+\n)*))", re.MULTILINE)
_FACES = {
    "ingest": "Everything that comes in, and the store it comes into.",
    "analysis": "Answers: a connection to a store in, frames and small values out.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those on disk."""
    decisions = sorted(file.src_uri for file in files if file.src_uri.startswith("decisions/"))
    for address, text in (*pages(), ("decisions/index.md", _decisions(Path(config.docs_dir), decisions))):
        files.append(File.generated(config, address, content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Give every generated page as (address, Markdown)."""
    yield "reference/metrics.md", _metrics()
    yield "reference/causes.md", _causes()
    for cause in analysis.CAUSES:
        yield f"reference/playbooks/{cause}.md", _playbook(cause)
    yield "reference/lint-rules.md", _lint_rules()
    yield "reference/tables.md", _tables()
    yield "reference/commands.md", _commands()
    for package, about in _FACES.items():
        yield f"reference/{package}.md", _face(package, about)


def _plain(text: str) -> str:
    """Write text so that Markdown shows it and does not read it, but for words between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a lone backtick quotes nothing
        return _escaped(text)
    return "`".join(part if at % 2 else _escaped(part) for at, part in enumerate(parts))


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#|" else sign for sign in text)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("\n", " ") for cell in cells) + " |"


def _decisions(folder: Path, addresses: list[str]) -> str:
    titles = [(folder / address).read_text("utf-8").splitlines()[0].lstrip("# ") for address in addresses]
    lines = [f"- [{title}]({Path(address).name})" for title, address in zip(titles, addresses, strict=True)]
    return "# Decisions\n\nWhat was decided, and why, oldest first.\n\n" + "\n".join(lines) + "\n"


def _metrics() -> str:
    parts = [
        "# Metrics\n",
        "Each is one `.sql` file in `analysis/metrics/`; the text here is the comment at its top. "
        "`synclens metric NAME` computes one, `analysis.measure(store, NAME)` gives the frame.\n",
    ]
    for metric in analysis.METRICS.values():
        body = metric.sql[metric.sql.index("\n", metric.sql.rindex("\n--") + 1) + 1 :].strip()
        parts.append(
            f"## {metric.name}\n\n**{_plain(metric.title)}** · {_plain(metric.unit)} · {metric.good}\n\n"
            f'{_plain(metric.about)}\n\n??? note "The query"\n\n'
            + "\n".join(f"    {line}" for line in ["```sql", *body.splitlines(), "```"])
            + "\n"
        )
    return "\n".join(parts)


def _causes() -> str:
    catalogue = load_catalogue()
    rules = {
        cause.id: [rule for rule in catalogue.rule if rule.cause == cause.id] for cause in catalogue.cause
    }
    rows = [
        _row(f"[{cause.id}](playbooks/{cause.id}.md)", _plain(cause.title), cause.family, ", ".join(cause.side),
             cause.retry, str(len(rules[cause.id])))
        for cause in catalogue.cause
    ]  # fmt: skip
    return "\n".join([
        "# Causes\n",
        f"The catalogue of {catalogue.version}: what can be wrong, on whose side the fix lies, and whether "
        "trying again may help. Each has a playbook.\n",
        _row("cause", "meaning", "family", "side", "retry", "rules"),
        _row(*["---"] * 6),
        *rows,
        "",
    ])  # fmt: skip


def _playbook(cause: str) -> str:
    book = analysis.load_playbook(cause)
    sources = "\n".join(f"- <{source}>" for source in book.sources)
    return (
        f"# {book.title}\n\n`{cause}`\n\n## Meaning\n\n{book.meaning}\n\n## Impact\n\n{book.impact}\n\n"
        f"## Diagnosis\n\n{book.diagnosis}\n\n## Fix\n\n{book.fix}\n\n"
        + (f"## Sources\n\n{sources}\n" if sources else "")
    )


def _lint_rules() -> str:
    parts = [
        "# Lint rules\n",
        "What `synclens lint` looks for. *Documented* means that Veeva says so; the rest is marked.\n",
    ]
    parts += [
        f"## {rule.name}\n\n**{_plain(rule.title)}** · {rule.severity} · {rule.basis} · playbook "
        f"[{rule.cause}](playbooks/{rule.cause}.md)\n\n{_plain(rule.why)}\n\n*Fix:* {_plain(rule.fix)}\n\n"
        f"Source: {_plain(rule.source)}\n"
        for rule in analysis.LINT_RULES.values()
    ]
    return "\n".join(parts)


def _tables() -> str:
    parts = [
        "# Tables\n",
        "What a row must be to come in. Each table is a record class; rows that break it are kept "
        "with their reasons.\n",
    ]
    for contract in ingest.CONTRACTS.values():
        about = (contract.record.__doc__ or "").split("\n\n")[0]
        parts.append(f"## {contract.table}\n\n{_plain(' '.join(about.split()))}\n")
        parts += [_row("column", "kind", "required"), _row(*["---"] * 3)]
        parts += [
            _row(f"`{column.name}`", column.kind, "yes" if column.required else "")
            for column in contract.columns
        ]
        parts.append(f"\nA row is known by {', '.join(f'`{name}`' for name in contract.key)}.\n")
    return "\n".join(parts)


def _commands() -> str:
    top = typer.main.get_command(cli.app)
    parts = [
        "# Commands\n",
        "stdout is data, stderr is narration; exit codes are 0 fine, 1 found something wrong, 2 could not run.\n",
    ]
    for name, command in sorted(_leaves("synclens", top)):
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [
            one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts
        ]
        usage = " ".join([name, *(str(one.name).upper() for one in arguments)])
        parts.append(f"## {name}\n\n```\n{usage}\n```\n\n{_plain(command.help or '')}\n")
        if options:
            parts += [_row("option", "meaning"), _row("---", "---")]
            parts += [
                _row(f"`{', '.join(one.opts)}`", _plain(str(getattr(one, "help", None) or "")))
                for one in options
            ]
            parts.append("")
    return "\n".join(parts)


def _leaves(name: str, command: object) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Walk down to the commands that do something."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command  # type: ignore[misc]
        return
    for word, inner in below.items():
        yield from _leaves(f"{name} {word}", inner)


def _face(package: str, about: str) -> str:
    module = {"ingest": ingest, "analysis": analysis}[package]
    callables = [name for name in module.__all__ if not name.isupper()]
    index = "".join(_index(package, module.__doc__ or "", callables))
    return f"# `{package}`\n\n{about}\n\n{index}" + "\n".join(f"::: {package}.{name}\n" for name in callables)


def _index(package: str, words: str, callables: list[str]) -> Iterator[str]:
    """The questions of a package's docstring as a table, each name a link to where it is explained."""
    questions = _QUESTION.findall(words)
    if questions:
        yield "| question | answered by |\n|---|---|\n"
    for question, names in questions:
        links = (
            f"[`{name}`][{package}.{name}]" if name in callables else f"`{name}`"
            for name in re.split(r",\s*", names.strip())
        )
        yield f"| {question} | {', '.join(links)} |\n"
    yield "\n"
