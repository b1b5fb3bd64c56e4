"""Marks the environment that a running server shows, so that no demonstration removes its files meanwhile."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.errors import LakeBusy
from conf.settings import Settings


@contextmanager
def mark_in_use(settings: Settings) -> Iterator[None]:
    """Mark the environment as in use while the body runs. Several servers may mark it at once."""
    mark = _mark_file(settings)
    mark.parent.mkdir(parents=True, exist_ok=True)
    with mark.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


def check_not_in_use(settings: Settings) -> None:
    """Raise LakeBusy if a server shows this environment."""
    mark = _mark_file(settings)
    if not mark.exists():
        return
    with mark.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakeBusy(
                f"a server (`headwater ui` or `headwater airflow`) shows the environment {settings.env}",
                "stop it first",
            ) from None


def _mark_file(settings: Settings) -> Path:
    return Path(settings.project) / "lake" / settings.env / ".served"
