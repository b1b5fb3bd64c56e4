"""The SQLite file of MLflow, made whole or not at all."""

import fcntl
import warnings
from pathlib import Path

import mlflow.store.db.utils  # declares all tables of MLflow, which configure_mappers then knows
from sqlalchemy.orm import configure_mappers

from conf.settings import Settings

_SQLITE = "sqlite:///"


def prepare_store(settings: Settings) -> None:
    """Make the SQLite file of the tracking store, unless it is there. The store of a server is the server's business.

    MLflow makes the file by itself when it is first used. But two processes that start together, or one that is
    killed, would leave a file that is half made for ever. So it is made as a draft beside, and then renamed.
    """
    if not settings.tracking.startswith(_SQLITE):
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
        configure_mappers()
    file = Path(settings.tracking.removeprefix(_SQLITE))
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            draft = file.with_name(f".{file.name}.draft")
            draft.unlink(missing_ok=True)
            mlflow.MlflowClient(tracking_uri=f"{_SQLITE}{draft}").search_experiments(max_results=1)
            draft.replace(file)
