"""The SQLite file in which MLflow keeps its runs and versions: either it is complete or it does not exist."""

import fcntl
import warnings
from pathlib import Path

import mlflow.store.db.utils  # declares all tables of MLflow, which configure_mappers then knows
from sqlalchemy.orm import configure_mappers

from conf.settings import Settings

_SQLITE = "sqlite:///"


def prepare_store(settings: Settings) -> None:
    """Make the SQLite file of the tracking store, unless it exists. A tracking server takes care of its own store.

    MLflow itself makes the file at its first use. But if two processes then start together, or one is killed, the file
    stays incomplete for ever. So we make it as a draft beside, and then rename it.
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
