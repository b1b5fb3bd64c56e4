"""The one application that spark-submit runs. Its arguments are the words that follow ``headwater`` on a command line.

It lies alone in its folder, because Python puts the folder of a script first on ``sys.path``.
"""

import sys

from conf.settings import airflow_facts, record_exit_code
from headwater.cli.main import run
from headwater.watchdog import end_with_ancestors

# Above this process stands the JVM. Under Airflow the task's process and its supervisor stand above that.
ANCESTORS = 3 if airflow_facts() else 1

if __name__ == "__main__":
    end_with_ancestors(ANCESTORS)
    code = run(sys.argv[1:])
    record_exit_code(code)
    sys.exit(code)
