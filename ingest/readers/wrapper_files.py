"""Read wrapper files: each describes where a system's JSON keeps its records and their errors.

Paths are JMESPath expressions. `when`, `records`, `tables`, `refusal` and `notes` are evaluated on the document,
`failed` and `each` on a record. `inner`, `level` and the columns are evaluated on an object with the members
`document`, `record` and `error`, where `error` is one of the values that `each` selects.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.errors import MappingInvalid


class _WrapperFile(BaseModel):
    """The content of a wrapper file; other keys are errors."""

    model_config = ConfigDict(extra="forbid")

    title: str
    source: str = ""
    when: str
    records: str = "@"
    tables: str | None = None
    failed: str | None = None
    each: str | None = None
    inner: str | None = None
    level: str | None = None
    refusal: str | None = None
    plain: bool = False
    general: bool = False
    errors: bool = False
    rest: bool = True
    open: list[str] = []
    columns: dict[str, str | list[str]] = {}
    notes: list[str] = []


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled JMESPath expression."""

    text: str
    compiled: ParsedResult

    def search(self, value: object) -> Any:  # noqa: ANN401 - any JSON
        """Return what the path selects; None if nothing, or if a function rejects a value."""
        try:
            return self.compiled.search(value)
        except JMESPathError:
            return None


@dataclass(frozen=True)
class Wrapper:
    """Where one system's JSON keeps its records.

    `when` is true for its documents; `general` wrappers are tried after all others. `records` selects the records of
    a document, `tables` tables with `columns` and `rows`. `failed` is true for a record that is an error, and `each`
    selects its errors, one row each. `inner` selects a document or a log line inside a record, `level` its log level,
    and `open` names members whose text is JSON. `columns` are additional cells, and the only ones without `rest`.
    `notes` select texts for the report, and `refusal` the API's message if the document is only a refused call. The
    records of a `plain` wrapper are rows of any table: no row is skipped as a success. The rows of an `errors`
    wrapper are certainly sync errors.
    """

    title: str
    when: JsonPath
    records: JsonPath
    tables: JsonPath | None = None
    failed: JsonPath | None = None
    each: JsonPath | None = None
    inner: JsonPath | None = None
    level: JsonPath | None = None
    refusal: JsonPath | None = None
    plain: bool = False
    general: bool = False
    errors: bool = False
    rest: bool = True
    open: tuple[str, ...] = ()
    columns: Mapping[str, tuple[JsonPath, ...]] = field(default_factory=dict)
    notes: tuple[JsonPath, ...] = ()


def read_wrapper(path: Path) -> Wrapper:
    """Read one wrapper file. Raises MappingInvalid with the reason."""
    try:
        return parse_wrapper(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise MappingInvalid(str(path), f"cannot be read: {error}") from error


def parse_wrapper(text: str, name: str) -> Wrapper:
    """Parse the text of a wrapper file. Raises MappingInvalid with the reason."""
    try:
        file = _WrapperFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingInvalid(name, f"is not valid TOML: {error}") from error
    except ValidationError as error:
        keys = ", ".join(_WrapperFile.model_fields)
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise MappingInvalid(name, f"{problems}. The keys are {keys}") from error

    def compiled(key: str, expression: str) -> JsonPath:
        try:
            return JsonPath(expression, jmespath.compile(expression))
        except JMESPathError as error:
            raise MappingInvalid(
                name, f"{key}: {expression!r} is not a JMESPath expression: {error}"
            ) from error

    optional = ("tables", "failed", "each", "inner", "level", "refusal")
    columns = {
        column: tuple(compiled(column, each) for each in ([paths] if isinstance(paths, str) else paths))
        for column, paths in file.columns.items()
    }
    return Wrapper(
        title=file.title,
        when=compiled("when", file.when),
        records=compiled("records", file.records),
        plain=file.plain,
        general=file.general,
        errors=file.errors,
        rest=file.rest,
        open=tuple(file.open),
        columns=columns,
        notes=tuple(compiled("notes", each) for each in file.notes),
        **{key: compiled(key, text) for key in optional if (text := getattr(file, key))},
    )


@cache
def builtin_wrappers() -> tuple[Wrapper, ...]:
    """Return the wrappers that come with SyncLens, general ones last."""
    folder = files("ingest.readers").joinpath("wrappers")
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".toml"))
    wrappers = [parse_wrapper(folder.joinpath(name).read_text(encoding="utf-8"), name) for name in names]
    return tuple(sorted(wrappers, key=lambda wrapper: wrapper.general))


def choose_wrapper(document: object, wrappers: Iterable[Wrapper]) -> Wrapper | None:
    """Return the first wrapper whose `when` is true for a document."""
    return next((wrapper for wrapper in wrappers if wrapper.when.search(document)), None)
