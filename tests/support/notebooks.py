"""Execute notebooks, and compare their stored outputs with those of a new run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TIMEOUT_SECONDS = 300
FIGURE_TYPE = "application/vnd.plotly.v1+json"
COMPARED_TYPES = ("text/plain", FIGURE_TYPE)
# Parts that differ between two runs without a meaning: folders, memory addresses, elapsed seconds.
VARIABLE_PARTS = [
    (re.compile(r"(PosixPath\()?'?/[^\s'\"]*/tmp\w+[^\s'\",)]*"), "<folder>"),
    (re.compile(r"\b0x[0-9a-f]{6,}\b"), "<address>"),
    (re.compile(r"\b\d+(\.\d+)? (s|seconds)\b"), "<seconds>"),
]


def execute(
    path: Path, *, pictures: bool = False, environment: Mapping[str, str] | None = None
) -> NotebookNode:
    """Run a notebook in a new kernel and return it with its outputs.

    Figures are stored as interactive Plotly JSON. With `pictures` they are also stored as PNG, which code hosts
    can show. `environment` adds environment variables of the kernel or replaces them.
    """
    notebook = nbformat.read(path, as_version=4)
    renderer = "plotly_mimetype+png" if pictures else "plotly_mimetype"
    variables = {"PLOTLY_RENDERER": renderer, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute(env={**os.environ, **variables, **(environment or {})})
    return notebook


def iterate_outputs(notebook: NotebookNode) -> Iterator[tuple[int, str, Any]]:
    """Yield (cell number, type, value) for each output that must be equal in two runs."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                yield number, output.name, mask_variable_parts(output.text)
            elif output.output_type in {"execute_result", "display_data"}:
                for media_type in COMPARED_TYPES:
                    if media_type in output.data and (
                        media_type == FIGURE_TYPE or FIGURE_TYPE not in output.data
                    ):
                        yield number, media_type, _comparable(media_type, output.data[media_type])
            else:
                yield number, output.output_type, output.get("evalue")


def read_figures(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the data of every output that is a figure, by media type."""
    return [
        output.data
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if FIGURE_TYPE in output.get("data", {})
    ]


def mask_variable_parts(text: str) -> str:
    """Replace the parts of a text that differ between two equal runs."""
    for pattern, placeholder in VARIABLE_PARTS:
        text = pattern.sub(placeholder, text)
    return text


def _comparable(media_type: str, value: Any) -> Any:
    if media_type != FIGURE_TYPE:
        return mask_variable_parts(value)
    layout = {name: part for name, part in value.get("layout", {}).items() if name != "template"}
    return mask_variable_parts(json.dumps({"data": value["data"], "layout": layout}, sort_keys=True))
