"""Fetch the two Delta jars once, with Spark's own resolver, and keep them in the project's folder.

A jar is accepted only if its SHA-256 is the pinned one, also when it came from a mirror or was put there by hand.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark

from conf.jars import DELTA_VERSION, JAR_FOLDER, JARS, wrong_jars
from conf.settings import child_environment

NOT_NEEDED = "org.*:*,com.*:*,net.*:*,io.unitycatalog:*,*:delta-kernel-*"


def main() -> int:
    JAR_FOLDER.mkdir(exist_ok=True)
    if not wrong_jars():
        print("jars: already fetched")
        return 0
    print("jars: fetching", flush=True)
    with tempfile.TemporaryDirectory(dir=JAR_FOLDER) as folder:
        spark_log = resolve(Path(folder))
        for name in JARS:
            fetched = Path(folder) / "jars" / f"io.delta_{name}"
            if fetched.is_file():
                fetched.replace(JAR_FOLDER / name)
    wrong = wrong_jars()
    if wrong:
        problem = f"headwater: {', '.join(wrong)} could not be fetched, or has the wrong SHA-256"
        hint = f"run make setup again with a network connection, or put the file into {JAR_FOLDER} yourself"
        print(f"{spark_log}\n{problem}\n  → {hint}", file=sys.stderr)
        return 2
    print(f"jars: {len(JARS)} fetched and checked")
    return 0


def resolve(folder: Path) -> str:
    """Let spark-submit fetch the jars into ``folder``/jars by running an empty application; return its log."""
    application = folder / "nothing.py"
    application.write_text("")
    packages = ",".join(f"io.delta:{name.removesuffix(f'-{DELTA_VERSION}.jar')}:{DELTA_VERSION}" for name in JARS)
    home = str(Path(pyspark.__file__).parent)
    command = [f"{home}/bin/spark-submit", "--conf", f"spark.jars.ivy={folder}", "--packages", packages]
    environ = child_environment(SPARK_HOME=home, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    command += ["--exclude-packages", NOT_NEEDED, str(application)]
    return subprocess.run(command, capture_output=True, text=True, env=environ, check=False).stderr


if __name__ == "__main__":
    sys.exit(main())
