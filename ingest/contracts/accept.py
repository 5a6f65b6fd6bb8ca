"""The door for rows that arrive one by one: pydantic models made from the contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, create_model

from ingest.contracts.cell_values import MISSING, READERS, VAULT_FORMAT, CellFormat
from ingest.contracts.tables import CONTRACTS, Column, Contract

LONGEST_QUOTE = 80
"""Characters of a refused value that its reason quotes."""


def accept(
    cells: Mapping[str, str | None], contract: Contract, cell_format: CellFormat = VAULT_FORMAT
) -> tuple[dict[str, Any], list[str]]:
    """Read one row of text cells, keyed by column name.

    Returns the values and no reasons, or no values and every reason, in the order of the columns. A reason
    reads `column: what is wrong (value)`.
    """
    try:
        row = model_of(contract.table, cell_format).model_validate(
            {name: cells.get(name) or "" for name in contract.names}
        )
    except ValidationError as error:
        return {}, [_reason(each["loc"][0], each["ctx"]["error"], each["input"]) for each in error.errors()]
    return row.__dict__, []


@cache
def model_of(table: str, cell_format: CellFormat = VAULT_FORMAT) -> type[BaseModel]:
    """Make the pydantic model of one table's contract; `values.READERS` read its fields."""
    shape: dict[str, Any] = {
        column.name: (Annotated[Any, BeforeValidator(_reader(column, cell_format))], ...)
        for column in CONTRACTS[table].columns
    }
    return create_model(
        table.replace(".", "_"), __config__=ConfigDict(extra="forbid", protected_namespaces=()), **shape
    )


def _reader(column: Column, cell_format: CellFormat) -> Callable[[str], object]:
    read = READERS[column.kind]

    def checked(text: str) -> object:
        value = read(text, cell_format)
        if value is None and column.required:
            raise ValueError(MISSING)
        return value

    return checked


def _reason(column: int | str, problem: Exception, value: object) -> str:
    quoted = str(value)[:LONGEST_QUOTE]
    return f"{column}: {problem} ({quoted})" if str(problem) != MISSING else f"{column}: {problem}"
