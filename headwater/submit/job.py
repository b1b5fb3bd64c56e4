"""The application that spark-submit runs. Its arguments are the words that follow ``headwater`` on a command line.

It is alone in its folder, because Python puts a script's folder first on ``sys.path``.
"""

import sys

from conf.settings import airflow_facts, record_exit_code
from headwater.cli.main import run
from headwater.watchdog import end_with_ancestors

# The parent of this process is the JVM. Under Airflow the JVM's parent is the task, whose parent is its supervisor.
ANCESTORS = 3 if airflow_facts() else 1

if __name__ == "__main__":
    end_with_ancestors(ANCESTORS)
    code = run(sys.argv[1:])
    record_exit_code(code)
    sys.exit(code)
