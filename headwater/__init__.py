"""The front door: the command line, the Python API, local servers, the demonstrations, and spark-submit's job.

In a notebook or a service::

    import headwater

    project = headwater.open("~/shop", env="demo")
    project.query("select count(*) from silver.orders").to_pandas()
"""

from conf.errors import HeadwaterError
from headwater.api import Project, Rows, open  # noqa: A004 (named for its use: headwater.open)

__all__ = ["HeadwaterError", "Project", "Rows", "open"]
