"""Every row reaches the store through `ingest.store.merge`, which protects it first."""

import ast
import re
from pathlib import Path

import ingest

PACKAGE = Path(ingest.__file__).parent
WRITES = re.compile(
    r"\b(?:INSERT INTO|UPDATE|COPY|MERGE INTO|CREATE OR REPLACE TABLE)\s+(?P<table>[\w.{}\"$]+)"
)

WRITERS = {
    "store/merge.py": "protects the staged rows first",
    "store/deletions.py": "copies rows of the store",
    "store/batches.py": "protects the source and the notes of a batch",
    "store/open.py": "records migrations",
    "store/rewrite.py": "copies the store",
    "protection/stored.py": "replaces secrets",
    "protection/staged.py": "replaces secrets and names in staging tables",
    "protection/keys.py": "keeps the key of a store in memory in a temporary table",
    "parquet_export.py": "copies the store to files",
    "rejected.py": "dismisses rows",
    "vault/pull_state.py": "keeps watermarks",
    "vault/direct_data.py": "keeps watermarks",
    "staging/statement.py": "writes the staging table",
    "staging/typed.py": "writes the staging table",
    "staging/deletions.py": "writes the staging table",
    "staging/lines.py": "writes the staging table",
}
"""The modules that may write to a database, each with what it writes."""


def _statements(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_only_known_modules_write_to_a_database():
    writers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(WRITES.search(text) for text in _statements(path))
    }
    assert writers <= WRITERS.keys()


def test_staged_rows_are_merged_only_after_protection():
    tree = ast.parse((PACKAGE / "store/merge.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in ("merge", "apply_deletions"):
        calls = [
            node.func.id
            for statement in functions[name].body
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        assert calls.index("_protect") == min(
            position for position, call in enumerate(calls) if call not in ("Layout", "tuple")
        )
