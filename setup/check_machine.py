"""Says whether this machine can hold Headwater, before anything is installed.

Runs under the user's Python with the standard library alone. Prints every problem with what to do about it; exit
code 2 if there is one.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from conf.java import JAVA_HINT, java_problem, java_version  # noqa: E402

GB = 1024**3
GB_TO_INSTALL = 3.0
GB_TO_RUN = 1.0


def venv_problem() -> str:
    """Return what is missing to make a virtual environment (some distributions split it off), or ''."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    hint = "install the package python3-venv, or name another Python: make setup PYTHON=/path/to/python3"
    return f"this Python has no {' and no '.join(missing)}\n  → {hint}" if missing else ""


def folder_problem(root: Path) -> str:
    """Return why Java could not be given this folder on its class path, or ''."""
    bad = sorted({sign for sign in str(root) if sign in " :,;\"'"})
    signs = " ".join(repr(sign) for sign in bad)
    return f"the folder's path {str(root)!r} holds {signs}, which Spark cannot\n  → move the clone" if bad else ""


def disk_problem(folder: Path, needed_gb: float) -> str:
    """Return how much disk is missing where ``folder`` lies, or ''."""
    free = shutil.disk_usage(folder).free / GB
    if free >= needed_gb:
        return ""
    return (
        f"{free:.1f} GB are free where {folder} lies; {needed_gb:g} GB are needed\n  → free some, or use another disk"
    )


def old_install_problem(root: Path) -> str:
    """Return why the virtual environment that is there cannot be used, or ''."""
    stamp = root / ".venv" / ".installed"
    if not stamp.is_file():
        return ""
    made_in = Path(stamp.read_text(encoding="utf-8").strip() or root)
    if made_in.resolve() != root.resolve():
        return f"the virtual environment was made in {made_in}; this is a copy, or was moved\n  → make distclean setup"
    try:
        subprocess.run([root / ".venv" / "bin" / "python", "-c", ""], check=True, timeout=60, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return "the virtual environment's Python does not run any more\n  → make distclean setup"
    return ""


def java_missing() -> str:
    """Return what is wrong with the Java that Spark would start, or ''."""
    problem = java_problem(java_version(os.environ), os.environ.get("JAVA_HOME", ""))
    return f"{problem}\n  → {JAVA_HINT}" if problem else ""


def main() -> int:
    is_installed = (ROOT / ".venv" / ".installed").is_file()
    found = (
        venv_problem(),
        folder_problem(ROOT),
        disk_problem(ROOT, GB_TO_RUN if is_installed else GB_TO_INSTALL),
        old_install_problem(ROOT),
        java_missing(),
    )
    problems = [problem for problem in found if problem]
    for problem in problems:
        print(f"headwater cannot be set up here: {problem}", file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
