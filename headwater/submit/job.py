"""The one application that spark-submit runs. Its arguments are the words typed after ``headwater``.

It lies alone in its folder, since a script's folder comes first on ``sys.path``.
"""

import sys

from conf.settings import airflow_facts
from headwater.cli.main import run
from headwater.watchdog import end_with_ancestors

# Above this process stands the JVM; under Airflow, above that, the task's process and its supervisor.
ANCESTORS = 3 if airflow_facts() else 1

if __name__ == "__main__":
    end_with_ancestors(ANCESTORS)
    sys.exit(run(sys.argv[1:]))
