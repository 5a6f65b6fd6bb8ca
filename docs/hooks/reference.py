"""Generate the reference pages of the site from the data files and the command line.

MkDocs calls `on_files` once per build (https://www.mkdocs.org/user-guide/configuration/#hooks). Metrics, causes, lint
rules, tables and commands have a page each. Playbooks are Markdown already; other text is escaped.
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
    "ingest": "Load files and Vaults into the store.",
    "analysis": "Answer questions about a store.",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files on disk."""
    decisions = sorted(file.src_uri for file in files if file.src_uri.startswith("decisions/"))
    for address, text in (*pages(), ("decisions/index.md", _decisions(Path(config.docs_dir), decisions))):
        files.append(File.generated(config, address, content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Yield every generated page as (address, Markdown)."""
    yield "reference/metrics.md", _metrics()
    yield "reference/causes.md", _causes()
    for cause in analysis.CAUSES:
        yield f"reference/playbooks/{cause}.md", _playbook(cause)
    yield "reference/lint-rules.md", _lint_rules()
    yield "reference/tables.md", _tables()
    yield "reference/commands.md", _commands()
    for package, summary in _FACES.items():
        yield f"reference/{package}.md", _face(package, summary)


def _plain(text: str) -> str:
    """Escape Markdown in a text, except between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an unpaired backtick quotes nothing
        return _escaped(text)
    return "`".join(part if at % 2 else _escaped(part) for at, part in enumerate(parts))


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#|" else sign for sign in text)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("\n", " ") for cell in cells) + " |"


def _decisions(folder: Path, addresses: list[str]) -> str:
    titles = [(folder / address).read_text("utf-8").splitlines()[0].lstrip("# ") for address in addresses]
    lines = [f"- [{title}]({Path(address).name})" for title, address in zip(titles, addresses, strict=True)]
    return "# Decisions\n\nDecision records, oldest first.\n\n" + "\n".join(lines) + "\n"


def _metrics() -> str:
    parts = [
        "# Metrics\n",
        "Each metric is one `.sql` file in `analysis/metrics/`; the text is its header. "
        "`synclens metric NAME` prints one, `analysis.measure(store, NAME)` returns the frame.\n",
    ]
    for metric in analysis.METRICS.values():
        body = metric.sql[metric.sql.index("\n", metric.sql.rindex("\n--") + 1) + 1 :].strip()
        parts.append(
            f"## {metric.name}\n\n**{_plain(metric.title)}** · {_plain(metric.unit)} · {metric.good}\n\n"
            f'{_plain(metric.description)}\n\n??? note "The query"\n\n'
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
        f"The catalogue of {catalogue.version}: each cause, the side that can fix it, and whether a retry can help. "
        "Each cause has a playbook.\n",
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
        "Rules that `synclens lint` checks. *Documented*: described by Veeva; others are marked.\n",
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
        "Contract of each table. Rows that break it are rejected and kept with their reasons.\n",
    ]
    for contract in ingest.CONTRACTS.values():
        summary = (contract.record.__doc__ or "").split("\n\n")[0]
        parts.append(f"## {contract.table}\n\n{_plain(' '.join(summary.split()))}\n")
        parts += [_row("column", "kind", "required"), _row(*["---"] * 3)]
        parts += [
            _row(f"`{column.name}`", column.kind, "yes" if column.required else "")
            for column in contract.columns
        ]
        parts.append(f"\nKey: {', '.join(f'`{name}`' for name in contract.key)}.\n")
    return "\n".join(parts)


def _commands() -> str:
    top = typer.main.get_command(cli.app)
    parts = [
        "# Commands\n",
        "stdout is data, stderr is messages. Exit codes: 0 success, 1 problems in the data, 2 could not run.\n",
    ]
    for name, command in sorted(_leaves("synclens", top)):
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        options = [
            parameter
            for parameter in command.params
            if parameter.param_type_name == "option" and "--help" not in parameter.opts
        ]
        usage = " ".join([name, *(str(argument.name).upper() for argument in arguments)])
        parts.append(f"## {name}\n\n```\n{usage}\n```\n\n{_plain(command.help or '')}\n")
        if options:
            parts += [_row("option", "meaning"), _row("---", "---")]
            parts += [
                _row(f"`{', '.join(option.opts)}`", _plain(str(getattr(option, "help", None) or "")))
                for option in options
            ]
            parts.append("")
    return "\n".join(parts)


def _leaves(name: str, command: object) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Yield the commands that run something, with their full names."""
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield name, command  # type: ignore[misc]
        return
    for subname, subcommand in subcommands.items():
        yield from _leaves(f"{name} {subname}", subcommand)


def _face(package: str, summary: str) -> str:
    module = {"ingest": ingest, "analysis": analysis}[package]
    callables = [name for name in module.__all__ if not name.isupper()]
    index = "".join(_index(package, module.__doc__ or "", callables))
    return f"# `{package}`\n\n{summary}\n\n{index}" + "\n".join(
        f"::: {package}.{name}\n" for name in callables
    )


def _index(package: str, docstring: str, callables: list[str]) -> Iterator[str]:
    """Yield the questions in a package docstring as a table with links."""
    questions = _QUESTION.findall(docstring)
    if questions:
        yield "| question | answered by |\n|---|---|\n"
    for question, names in questions:
        links = (
            f"[`{name}`][{package}.{name}]" if name in callables else f"`{name}`"
            for name in re.split(r",\s*", names.strip())
        )
        yield f"| {question} | {', '.join(links)} |\n"
    yield "\n"
