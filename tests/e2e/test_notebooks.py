"""The notebooks run, and show what is stored in them."""

import importlib.util
import shutil

import nbformat
import pytest

from tests.support.notebooks import FIGURE, NOTEBOOKS, execute, outputs_of

pytestmark = pytest.mark.docs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_new_run_shows_the_stored_outputs(path):
    if "spark" in path.stem and not (shutil.which("java") and importlib.util.find_spec("pyspark")):
        pytest.skip("needs Java 17 and the extra [spark]")
    stored = nbformat.read(path, as_version=4)
    assert list(outputs_of(execute(path, pictures=False))) == list(outputs_of(stored)), "run `make notebooks`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_code_cell_was_executed_without_errors(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


def test_every_figure_is_stored_as_a_picture_too():
    figures = [
        output.data
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if FIGURE in output.get("data", {})
    ]
    assert figures
    assert all("image/png" in data for data in figures)
