"""One local Spark session for the whole run, and what several tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.settings import ROOT, Settings, load_settings, prepare_libraries
from pipelines.runtime.session import close_session, open_session

prepare_libraries()  # before any test imports MLflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the most minutes first, so that no process begins a long one when the other is done."""
    items.sort(key=lambda item: -sum(mark.kwargs["minutes"] for mark in item.iter_markers("long")))


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    base = tmp_path_factory.mktemp("lake")
    overrides = {
        "HEADWATER__SPARK__MASTER": "local[2]",
        "HEADWATER__SPARK__SHUFFLE_PARTITIONS": "2",
        # Short programs: the quick compiler alone, with a code cache that does not thrash (its default is 48 MB).
        "HEADWATER__SPARK__DRIVER_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m",
        "HEADWATER__LAKE": str(base / "tables"),
        "HEADWATER__LANDING": str(base / "landing"),
        "HEADWATER__TRACKING_URI": f"sqlite:///{base}/mlflow.db",
        "HEADWATER__ARTIFACTS": str(base / "artifacts"),
    }
    return load_settings(Path(ROOT), "local", overrides)


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    yield open_session(settings, "headwater-tests")
    close_session()
