"""How Airflow submits a Headwater job to Spark: with the properties of conf/, and exit codes that say what to do."""

from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)

from conf.settings import Settings
from conf.spark_properties import properties_file


class HeadwaterSubmitOperator(SparkSubmitOperator):
    """SparkSubmitOperator that reads conf/ when it runs; exit 2 fails without retry, exit 99 skips."""

    def __init__(self, *, settings: Settings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings

    def execute(self, context: Any) -> None:
        """Submit the job and wait for its end."""
        try:
            BaseHook.get_connection(self._conn_id)
        except AirflowNotFoundException as error:
            hint = (
                f"airflow connections add {self._conn_id} --conn-type spark --conn-host '{self._settings.spark.master}'"
            )
            raise AirflowFailException(f"there is no connection {self._conn_id}; make it: {hint}") from error
        with properties_file(self._settings) as path:
            self.properties_file = str(path)
            try:
                super().execute(context)
            except AirflowException as error:
                process = self._hook._submit_sp if self._hook else None
                match process.returncode if process else None:
                    case 2:
                        raise AirflowFailException(f"wrong usage or configuration, no retry helps: {error}") from error
                    case 99:
                        raise AirflowSkipException("nothing to do") from error
                raise
