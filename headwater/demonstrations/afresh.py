"""Empties the environment of a demonstration before the demonstration begins."""

import shutil
from pathlib import Path

from conf.errors import UsageError
from conf.settings import Settings
from headwater.options import Options
from headwater.servers.in_use import check_not_in_use
from pipelines.operations.lease import check_free


def begin_afresh(options: Options, env: str) -> Settings:
    """Remove everything that the environment ``env`` holds, and return its settings.

    Raises
    ------
    UsageError : when ``--env`` is not ``env``, or the landing folder is not in a folder that has the environment's name
    LakeBusy : when a writer or a server uses the environment
    """
    if options.env != env:
        raise UsageError("the demonstration begins afresh, so it runs only in its own environment", f"use --env {env}")
    settings = options.load().settings
    check_free(settings)
    check_not_in_use(settings)
    root = Path(settings.landing).parent
    if root.name != env:
        raise UsageError(f"{root} would be removed", f"the landing folder of a demonstration lies in a folder `{env}`")
    shutil.rmtree(root, ignore_errors=True)
    return settings
