"""Run the notebooks and compare their outputs with the stored ones."""

import importlib.util
import shutil

import nbformat
import pytest

from tests.support.notebooks import FIGURE_TYPE, NOTEBOOKS, execute, iterate_outputs, read_figures

pytestmark = pytest.mark.docs
SPARK_NOTEBOOK = next(path for path in NOTEBOOKS if path.stem.endswith("spark"))


def has_spark() -> bool:
    """Return whether Java and pyspark are installed."""
    return shutil.which("java") is not None and importlib.util.find_spec("pyspark") is not None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_new_run_has_the_stored_outputs(path):
    if path == SPARK_NOTEBOOK and not has_spark():
        pytest.skip("needs Java 17 and the extra [spark]")
    stored = nbformat.read(path, as_version=4)
    assert list(iterate_outputs(execute(path))) == list(iterate_outputs(stored)), "run `make notebooks`"


def test_spark_notebook_runs_without_java():
    outputs = list(iterate_outputs(execute(SPARK_NOTEBOOK, environment={"PATH": ""})))
    assert any("the Spark cells are skipped" in str(value) for _, _, value in outputs)
    assert not [value for _, media_type, value in outputs if media_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_code_cell_was_executed_without_errors(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


def test_every_figure_is_also_stored_as_a_picture():
    figures = [figure for path in NOTEBOOKS for figure in read_figures(nbformat.read(path, as_version=4))]
    assert figures
    assert all("image/png" in figure for figure in figures)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_has_a_title_and_axis_titles(path):
    for figure in read_figures(nbformat.read(path, as_version=4)):
        layout = figure[FIGURE_TYPE]["layout"]
        for part in (layout, layout["xaxis"], layout["yaxis"]):
            assert part["title"]["text"]
