"""A table contract: how files that land become one silver table.

``conf/tables/NAME.yml`` is the table ``NAME``. The contract says where files land and in which format, which raw
columns they bring, which typed columns are made from those by Spark SQL expressions, and what identifies, orders and
judges a row.
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
    """Where and how the files of a table arrive.

    ``path`` is a folder below the landing root. ``files`` says which files in it belong (a glob on the name).
    ``delivered`` is a strptime pattern that one or more segments of a file's path match, such as
    ``delivered=%Y-%m-%dT%H-%M`` (``*`` stands for any text within a segment), or ``ingestion``. ``null_text`` are
    the raw texts that mean NULL: by default the empty text in CSV, where NULL cannot be written, and none elsewhere.
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
        if self.null_text is not None:
            return self.null_text
        return ("",) if self.format == "csv" else ()

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if path.startswith("/") or "://" in path or ".." in path.split("/"):
            raise ValueError("is a folder below the landing root: no leading /, no scheme, no ..")
        return path.strip("/")

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, delimiter: str) -> str:
        if delimiter in '"\r\n':
            raise ValueError("cannot be a quote or a line end")
        return delimiter

    @field_validator("delivered")
    @classmethod
    def _has_time(cls, pattern: str) -> str:
        if pattern != INGESTION and "%" not in pattern:
            raise ValueError("is a strptime pattern such as delivered=%Y-%m-%dT%H-%M, or the word ingestion")
        return pattern


class RawColumn(Declared):
    """One column as it lands: ``header`` as the file spells it, ``name`` as bronze and the expressions do.

    Written ``name`` alone where both are the same, or ``{name: order_id, header: Order ID}``.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")
    header: str

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, content: object) -> object:
        if isinstance(content, str):
            return {"name": content, "header": content}
        return content


class Column(Declared):
    """One typed silver column. ``expr`` sees the raw columns, the maps, and the columns declared above it."""

    name: Name
    type: str
    expr: str = ""
    description: str = ""
    unit: str = ""

    @field_validator("type")
    @classmethod
    def _known_type(cls, name: str) -> str:
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
    """The row is known a fixed time after its event: an hourly feed of which the history came in one file."""

    after_event: Duration


class KnownColumn(Declared):
    """A column of the data says when the row was known."""

    column: Name


class Expectation(Declared):
    """A rule on a row, true or false; NULL counts as broken. Vocabulary: Delta Live Tables."""

    name: Name
    expr: str
    action: Literal["warn", "quarantine", "fail"]


class Contract(Declared):
    """The contract of one table. Grain of the silver table: ``key``; without a key, the landed row."""

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
    def _later(cls, content: object) -> object:
        if isinstance(content, dict) and (content.get("history") or "tombstone" in content):
            raise ValueError("history and tombstones are not built yet; remove them, the latest version is kept")
        return content

    @model_validator(mode="after")
    def _names(self) -> Self:
        columns = [column.name for column in self.columns]
        raw = tuple(column.name.lower() for column in self.raw)
        headers = tuple(column.header for column in self.raw)
        for what, names in {"raw": raw, "raw headers": headers, "columns": tuple(columns), "key": self.key}.items():
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: {', '.join(twice)} stands twice")
        wanted = {"key": self.key, "order_by": self.order_by, "partition_by": self.partition_by}
        wanted["event_at"] = (self.event_at,)
        if isinstance(self.known_at, KnownColumn):
            wanted["known_at"] = (self.known_at.column,)
        for what, names in wanted.items():
            missing = [name for name in names if name not in columns]
            if missing:
                raise ValueError(f"{what}: {', '.join(missing)} is not among the columns: {', '.join(columns)}")
        for what in ("event_at", "known_at"):
            for name in wanted.get(what, ()):
                if self.type_of(name) != "timestamp":
                    raise ValueError(f"{what}: {name} is of type {self.type_of(name)}; it must be a timestamp")
        floats = [name for name in (*self.key, *self.partition_by) if self.type_of(name) == "double"]
        if floats:
            raise ValueError(f"key and partition_by cannot be of type double: {', '.join(floats)}")
        rules = [rule.name for rule in self.expectations]
        if len(set(rules)) != len(rules):
            raise ValueError("expectations: two have the same name")
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
