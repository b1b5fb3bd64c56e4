"""A table contract: how the files that land become one silver table.

``conf/tables/NAME.yml`` declares the table ``NAME``: where its files land and in which format, which raw columns they
have, by which Spark SQL expressions the typed columns are made from those, which columns identify a row, which version
of a row wins, and which rules a row must satisfy.
"""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.durations import Duration
from conf.yaml_file import Declared, Name

TYPES = ("string", "boolean", "int", "bigint", "double", "date", "timestamp")
_DECIMAL = re.compile(r"decimal\(\d{1,2},\s*\d{1,2}\)")
INGESTION = "ingestion"


class Landing(Declared):
    """Where the files of a table land, their format, and how their delivery time is found.

    ``path`` is a folder below the landing root, and ``files`` a glob on the names of the files in it. ``delivered`` is
    a strptime pattern for one or more segments of a file's path, such as ``delivered=%Y-%m-%dT%H-%M`` (``*`` stands
    for any text within a segment), or ``ingestion`` for the time of the load. ``null_text`` lists the raw texts that
    mean NULL: by default the empty text in CSV, which cannot write NULL, and none in the other formats.
    """

    path: str
    files: str = "*"
    format: Literal["csv", "json", "parquet"]
    delivered: str = INGESTION
    delimiter: str = Field(",", pattern=r"^[\x00-\x7f]$")
    null_text: tuple[str, ...] | None = None
    on_bad_file: Literal["continue", "fail"] = "continue"

    @property
    def null_texts(self) -> tuple[str, ...]:
        default = ("",) if self.format == "csv" else ()
        return default if self.null_text is None else self.null_text

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if path.startswith("/") or "://" in path or ".." in path.split("/"):
            raise ValueError("is a folder below the landing root: no leading /, no scheme, no ..")
        return path.strip("/")

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str) -> str:
        if delimiter in '"\r\n':
            raise ValueError("cannot be a quote or a line end")
        return delimiter

    @field_validator("delivered")
    @classmethod
    def _check_delivered(cls, pattern: str) -> str:
        if pattern != INGESTION and "%" not in pattern:
            raise ValueError("is a strptime pattern such as delivered=%Y-%m-%dT%H-%M, or the word ingestion")
        return pattern


class RawColumn(Declared):
    """A column of the landed files: its ``header`` in the file, and its ``name`` in bronze and in expressions.

    Written as ``{name: order_id, header: Order ID}``, or as ``order_id`` alone where both are the same.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")
    header: str

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, content: object) -> object:
        return {"name": content, "header": content} if isinstance(content, str) else content


class Column(Declared):
    """One typed silver column. Its ``expr`` may use the raw columns, the maps, and the columns declared above it."""

    name: Name
    type: str
    expr: str = ""
    description: str = ""
    unit: str = ""

    @field_validator("type")
    @classmethod
    def _check_type(cls, name: str) -> str:
        if name not in TYPES and not _DECIMAL.fullmatch(name):
            raise ValueError(f"{name!r} is not a type; known: {', '.join(TYPES)}, decimal(p,s)")
        return name

    @model_validator(mode="before")
    @classmethod
    def _default_expr(cls, content: object) -> object:
        if isinstance(content, dict) and "expr" not in content and "name" in content:
            return {**content, "expr": content["name"]}
        return content


class Lag(Declared):
    """A row was known a fixed time after its event: for an hourly feed whose past was delivered later in one file."""

    after_event: Duration


class KnownColumn(Declared):
    """A column of the data says when each row was known."""

    column: Name


class Expectation(Declared):
    """A rule that must be true for each row; NULL breaks it. The actions are those of Delta Live Tables."""

    name: Name
    expr: str
    action: Literal["warn", "quarantine", "fail"]


class Contract(Declared):
    """The contract of one table. Grain of the silver table: ``key``, or without a key, one row per landed row."""

    name: Name
    description: str = ""
    landing: Landing
    raw: tuple[RawColumn, ...] = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=1)
    maps: dict[Name, dict[str, str | int | float]] = {}
    key: tuple[Name, ...] = ()
    event_at: Name
    known_at: Literal["delivered", "ingestion"] | Lag | KnownColumn = "delivered"
    order_by: tuple[Name, ...] = ()
    partition_by: tuple[Name, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    history: Literal[False] = False

    @model_validator(mode="before")
    @classmethod
    def _refuse_unbuilt(cls, content: object) -> object:
        if isinstance(content, dict) and (content.get("history") or "tombstone" in content):
            raise ValueError("history and tombstones are not built yet; remove them, the latest version is kept")
        return content

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        columns = self.column_names
        raw = tuple(name.lower() for name in self.raw_names)
        headers = tuple(column.header for column in self.raw)
        rules = tuple(rule.name for rule in self.expectations)
        unique = {"raw": raw, "raw headers": headers, "columns": columns, "key": self.key, "expectations": rules}
        for what, names in unique.items():
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: {', '.join(twice)} is named twice")
        times = {"event_at": (self.event_at,)}
        if isinstance(self.known_at, KnownColumn):
            times["known_at"] = (self.known_at.column,)
        references = {"key": self.key, "order_by": self.order_by, "partition_by": self.partition_by, **times}
        for what, names in references.items():
            missing = [name for name in names if name not in columns]
            if missing:
                raise ValueError(f"{what}: {', '.join(missing)} is not among the columns: {', '.join(columns)}")
        for what, (name,) in times.items():
            if self.type_of(name) != "timestamp":
                raise ValueError(f"{what}: {name} is of type {self.type_of(name)}; it must be a timestamp")
        floats = [name for name in (*self.key, *self.partition_by) if self.type_of(name) == "double"]
        if floats:
            raise ValueError(f"key and partition_by cannot be of type double: {', '.join(floats)}")
        return self

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def raw_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.raw)

    @property
    def grain(self) -> tuple[str, ...]:
        """The columns that identify a silver row."""
        return self.key or ("_file_hash", "_row_number")

    def type_of(self, name: str) -> str:
        return next(column.type for column in self.columns if column.name == name)
