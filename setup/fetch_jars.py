"""Fetches the two Delta jars once, with Spark's own resolver, and keeps them below the project.

Whatever their source, a mirror or a hand, they count only if their content is the pinned one.
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
        print("jars: there already")
        return 0
    print("jars: fetching", flush=True)
    with tempfile.TemporaryDirectory(dir=JAR_FOLDER) as folder:
        said = resolve(Path(folder))
        for name in JARS:
            fetched = Path(folder) / "jars" / f"io.delta_{name}"
            if fetched.is_file():
                fetched.replace(JAR_FOLDER / name)
    wrong = wrong_jars()
    if wrong:
        print(said, file=sys.stderr)
        print(
            f"headwater: {', '.join(wrong)} could not be fetched, or is not the file it should be\n"
            f"  → run make setup again with a connection, or put the file into {JAR_FOLDER} yourself",
            file=sys.stderr,
        )
        return 2
    print(f"jars: {len(JARS)} fetched and checked")
    return 0


def resolve(folder: Path) -> str:
    """Let spark-submit resolve the jars into ``folder``/jars; return what it said."""
    nothing = folder / "nothing.py"
    nothing.write_text("")
    packages = ",".join(f"io.delta:{name.removesuffix(f'-{DELTA_VERSION}.jar')}:{DELTA_VERSION}" for name in JARS)
    home = str(Path(pyspark.__file__).parent)
    command = [f"{home}/bin/spark-submit", "--conf", f"spark.jars.ivy={folder}", "--packages", packages]
    environ = child_environment(SPARK_HOME=home, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    done = subprocess.run(
        [*command, "--exclude-packages", NOT_NEEDED, str(nothing)],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    return done.stderr


if __name__ == "__main__":
    sys.exit(main())
