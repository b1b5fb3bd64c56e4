"""The inputs of a model: its request columns and features by name, each a number or a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType, StringType

from conf.errors import ConfigError, Problem

NUMBER, TEXT = "double", "string"


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model in their order. ``kinds`` gives each name its kind, ``double`` or ``string``."""

    kinds: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.kinds)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.kinds.items() if kind == TEXT)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.kinds.items() if kind == NUMBER)

    @property
    def columns(self) -> list[Column]:
        """The columns to select from a frame: every number is cast to double, every text to string."""
        return [F.col(name).cast(kind).alias(name) for name, kind in self.kinds.items()]

    def incompatibility_with(self, wanted: Mapping[str, str]) -> str:
        """Say why a model that takes ``wanted`` cannot be given these inputs; '' when it can."""
        missing = [name for name in wanted if name not in self.kinds]
        if missing:
            return f"it takes {', '.join(missing)}, which the feature service no longer has"
        changed = [name for name, kind in wanted.items() if self.kinds[name] != kind]
        return f"{', '.join(changed)} changed between number and text since" if changed else ""


def describe_inputs(frame: DataFrame, names: Sequence[str]) -> Inputs:
    """Find out from the column types of a frame which inputs are numbers and which are texts.

    Raises
    ------
    ConfigError : names every column whose type a model cannot take as it is
    """
    types = {name: frame.schema[name].dataType for name in names}
    problems = [
        Problem("features", name, f"is of type {kind.simpleString()}", "use a number, a truth value or a text instead")
        for name, kind in types.items()
        if not isinstance(kind, NumericType | BooleanType | StringType)
    ]
    if problems:
        raise ConfigError(problems)
    return Inputs({name: TEXT if isinstance(kind, StringType) else NUMBER for name, kind in types.items()})
