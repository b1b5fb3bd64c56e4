"""Check, before anything is installed, whether Headwater can be installed on this machine.

It runs under the user's Python and uses only the standard library. It prints every problem with what to do about it,
and ends with exit code 2 if there is one.
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
    """Return which modules are missing to make a virtual environment (some Linuxes package them apart), or ''."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    hint = "install the package python3-venv, or name another Python: make setup PYTHON=/path/to/python3"
    return f"this Python has no {' and no '.join(missing)}\n  → {hint}" if missing else ""


def folder_problem(root: Path) -> str:
    """Return which characters in the folder's path break Spark's class path, or ''."""
    bad = " ".join(repr(character) for character in sorted(set(str(root)) & set(" :,;\"'")))
    return f"the path {str(root)!r} holds {bad}, which Spark cannot use\n  → move the clone elsewhere" if bad else ""


def disk_problem(folder: Path, needed_gb: float) -> str:
    """Return why the disk of ``folder`` is too full, or ''."""
    free = shutil.disk_usage(folder).free / GB
    problem = f"the disk of {folder} has {free:.1f} GB free and {needed_gb:g} GB are needed\n  → free some space on it"
    return "" if free >= needed_gb else problem


def old_install_problem(root: Path) -> str:
    """Return why the existing virtual environment cannot be used, or ''."""
    stamp = root / ".venv" / ".installed"
    if not stamp.is_file():
        return ""
    made_in = Path(stamp.read_text(encoding="utf-8").strip() or root)
    if made_in.resolve() != root.resolve():
        return f"the folder was moved or copied; its virtual environment belongs to {made_in}\n  → make distclean setup"
    try:
        subprocess.run([root / ".venv" / "bin" / "python", "-c", ""], check=True, timeout=60, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return "the virtual environment's Python does not run any more\n  → make distclean setup"
    return ""


def main() -> int:
    is_installed = (ROOT / ".venv" / ".installed").is_file()
    java = java_problem(java_version(os.environ), os.environ.get("JAVA_HOME", ""))
    found = (
        venv_problem(),
        folder_problem(ROOT),
        disk_problem(ROOT, GB_TO_RUN if is_installed else GB_TO_INSTALL),
        old_install_problem(ROOT),
        f"{java}\n  → {JAVA_HINT}" if java else "",
    )
    for problem in filter(None, found):
        print(f"headwater cannot be set up here: {problem}", file=sys.stderr)
    return 2 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
