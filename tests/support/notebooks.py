"""Execute notebooks, and compare the outputs that are stored with those of a new run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TIMEOUT_SECONDS = 300
FIGURE = "application/vnd.plotly.v1+json"
COMPARED = ("text/plain", FIGURE)
# What differs between two runs without a meaning: folders, addresses in memory, elapsed seconds.
VARIABLE = [
    (re.compile(r"(PosixPath\()?'?/[^\s'\"]*/tmp\w+[^\s'\",)]*"), "<folder>"),
    (re.compile(r"\b0x[0-9a-f]{6,}\b"), "<address>"),
    (re.compile(r"\b\d+(\.\d+)? (s|seconds)\b"), "<seconds>"),
]


def execute(path: Path, *, pictures: bool) -> NotebookNode:
    """Run a notebook in a new kernel and return it with its outputs.

    Figures are stored as interactive Plotly JSON; with `pictures` also as PNG, which a code host shows.
    """
    notebook = nbformat.read(path, as_version=4)
    renderer = "plotly_mimetype+png" if pictures else "plotly_mimetype"
    environment = os.environ | {"PLOTLY_RENDERER": renderer, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute(env=environment)
    return notebook


def outputs_of(notebook: NotebookNode) -> Iterator[tuple[int, str, Any]]:
    """Yield (cell number, kind, value) for each output that two runs must agree on."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                yield number, output.name, without_variable_parts(output.text)
            elif output.output_type in {"execute_result", "display_data"}:
                for kind in COMPARED:
                    if kind in output.data and not (kind == "text/plain" and FIGURE in output.data):
                        yield number, kind, _comparable(kind, output.data[kind])
            else:
                yield number, output.output_type, output.get("evalue")


def without_variable_parts(text: str) -> str:
    """Replace the parts of a text that differ between two equal runs."""
    for pattern, placeholder in VARIABLE:
        text = pattern.sub(placeholder, text)
    return text


def _comparable(kind: str, value: Any) -> Any:
    if kind != FIGURE:
        return without_variable_parts(value)
    figure = {"data": value["data"], "title": value.get("layout", {}).get("title")}
    return without_variable_parts(json.dumps(figure, sort_keys=True))
