"""Feature definitions: the files ``features/<domain>/*.py`` of a project, loaded by path.

Each file is loaded under a private module name, and no folder of the project is put on ``sys.path``. So two projects
in one process never see each other's definitions.
"""

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path

from conf.errors import ConfigError, HeadwaterError, Problem
from conf.settings import ROOT

ENGINE_FOLDERS = ("spark", "local")  # of the package ``features``: no domain may have these names


def list_definition_files(project: Path) -> list[Path]:
    """Return the files with a project's feature definitions, sorted.

    Raises
    ------
    ConfigError : when a domain has a name that the engine keeps for itself
    """
    root = project / "features"
    if root.resolve() != ROOT / "features":  # in the engine's own clone these folders hold the engine
        taken = [name for name in ENGINE_FOLDERS if (root / name).is_dir()]
        if taken:
            message = "is a name that Headwater keeps for its own code"
            raise ConfigError([Problem(str(root / name), "", message, "rename the folder") for name in taken])
    return [path for path in sorted(root.glob("*/*.py")) if path.parent.name not in ENGINE_FOLDERS]


def load_definitions(path: Path) -> list[object]:
    """Run one file of definitions and return all objects that it names at its top level.

    Raises
    ------
    ConfigError : when the file cannot be run; names the line
    """
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(f"_headwater_definitions_{digest}", path)
    if spec is None or spec.loader is None:
        raise ConfigError([Problem(str(path), "", "cannot be loaded", "is it a Python file?")])
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except HeadwaterError:
        raise
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"{path}:{lines[-1]}" if lines else str(path)
        raise ConfigError([Problem(where, "", f"{type(error).__name__}: {error}", "correct the file")]) from error
    return list(vars(module).values())
