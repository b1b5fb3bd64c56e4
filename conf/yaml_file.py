"""Read a YAML file into a frozen object, or report all mistakes in it at once."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from conf.errors import ConfigError, Problem, did_you_mean

MAX_BYTES = 1 << 20
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Model = TypeVar("Model", bound=BaseModel)


class Declared(BaseModel):
    """The base class of everything that is read from YAML: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _StrictLoader(yaml.SafeLoader):
    """A safe loader for which a repeated key is an error, and yes, no, on and off are strings (``NO`` is Norway)."""


def _read_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _read_mapping)
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError : when the file is missing, too large, not YAML, repeats a key, or is not a mapping
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([Problem(str(path), "", f"is larger than {MAX_BYTES} bytes", "declarations are small")])
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506  (a SafeLoader)
    except FileNotFoundError:
        raise ConfigError([Problem(str(path), "", "does not exist", "create it, or name another --project")]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), "", f"is not valid YAML: {error}", "fix the line it names")]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError([Problem(str(path), "", "is not a mapping of keys to values", "start with `key: value`")])
    return content


def build(model: type[Model], content: dict[str, Any], file: str) -> Model:
    """Make a frozen object from a mapping.

    Raises
    ------
    ConfigError : with one Problem for every key that is unknown, missing, or of the wrong type
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError([_problem(model, file, dict(detail)) for detail in error.errors()]) from None


def _problem(model: type[BaseModel], file: str, detail: dict[str, Any]) -> Problem:
    key = ".".join(str(part) for part in detail["loc"])
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = list(model.model_fields) if len(detail["loc"]) == 1 else []
        hint = did_you_mean(str(detail["loc"][-1]), known) if known else "remove it, or see the documentation"
        return Problem(file, key, "unknown key", hint)
    if kind == "missing":
        return Problem(file, key, "missing key", "add it")
    if kind == "string_pattern_mismatch":
        hint = "use lower-case letters, digits and _, beginning with a letter"
        return Problem(file, key, f"{detail['input']!r} is not a valid name", hint)
    return Problem(file, key, message, f"found {detail['input']!r}" if kind != "value_error" else "")
