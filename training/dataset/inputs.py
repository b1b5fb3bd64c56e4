"""The inputs of a model: its request columns and features by name, each a number or a text."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

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
    def schema(self) -> pa.Schema:
        return pa.schema([(name, pa.string() if kind == TEXT else pa.float64()) for name, kind in self.kinds.items()])

    def incompatibility_with(self, wanted: Mapping[str, str]) -> str:
        """Say why a model that takes ``wanted`` cannot be given these inputs; '' when it can."""
        missing = [name for name in wanted if name not in self.kinds]
        if missing:
            return f"it takes {', '.join(missing)}, which the feature service no longer has"
        changed = [name for name, kind in wanted.items() if self.kinds[name] != kind]
        return f"{', '.join(changed)} changed between number and text since" if changed else ""


def make_inputs(kinds: Mapping[str, str | None], types: Mapping[str, str]) -> Inputs:
    """Make the inputs from the kind of each column; None where a column is neither a number nor a text.

    Parameters
    ----------
    types : the type of each column in words, for the error

    Raises
    ------
    ConfigError : names every column whose type a model cannot take as it is
    """
    hint = "use a number, a truth value or a text instead"
    problems = [Problem("features", name, f"is of type {types[name]}", hint) for name in kinds if kinds[name] is None]
    if problems:
        raise ConfigError(problems)
    return Inputs({name: kind for name, kind in kinds.items() if kind is not None})
