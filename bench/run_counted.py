"""Run a command and count the resources of all its processes: Python, the JVM that it starts, and their workers.

usage: run_counted.py RESULT.json COMMAND...

The JVM of PySpark outlives the Python process that started it. So this process adopts the orphans of the command
(on Linux), waits until the last one has ended, and adds up what the kernel says of each. It is a program of its own, so
that no other child is counted.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main(result: str, *command: str) -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.monotonic()
    first = subprocess.Popen(command)
    wall_s = cpu_s = 0.0
    code = 0
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        cpu_s += usage.ru_utime + usage.ru_stime
        if pid == first.pid:
            wall_s, code = time.monotonic() - started, os.waitstatus_to_exitcode(status)
            first.returncode = code
    Path(result).write_text(json.dumps({"cpu_s": cpu_s, "wall_s": wall_s, "code": code}), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
