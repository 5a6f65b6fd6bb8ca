"""Run the notebooks and store their outputs in them. Figures are stored as interactive charts and as PNG.

Usage: python .ci/notebooks.py [PATH ...] (default: all notebooks). Kaleido renders the PNG and needs Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.notebooks import NOTEBOOKS, execute


def main() -> None:
    """Execute the notebooks named on the command line (default: all)."""
    for path in [Path(name).resolve() for name in sys.argv[1:]] or NOTEBOOKS:
        notebook = execute(path, pictures=True)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # its timestamps would change the file on every run
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        }
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main()
