"""How Airflow submits a Headwater job to Spark: with the properties of conf/, and exit codes that say what to do."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)

from conf.settings import EXIT_CODE_FILE, Settings
from conf.spark_properties import properties_file


class HeadwaterSubmitOperator(SparkSubmitOperator):
    """SparkSubmitOperator that reads conf/ when it runs. Exit code 2 fails without a retry, 99 skips the task.

    The job writes its exit code to a file that the operator names: the operator itself learns only that spark-submit
    failed.
    """

    def __init__(self, *, settings: Settings, connection: str, **kwargs: Any) -> None:
        super().__init__(conn_id=connection, **kwargs)
        self._settings = settings
        self._connection = connection

    def execute(self, context: Any) -> None:
        """Submit the job and wait for its end."""
        self._require_connection()
        with TemporaryDirectory(prefix="headwater-") as folder, properties_file(self._settings) as properties:
            exit_code = Path(folder) / "exit-code"
            self.properties_file = str(properties)
            self.env_vars = {**(self.env_vars or {}), EXIT_CODE_FILE: str(exit_code)}
            try:
                super().execute(context)
            except AirflowException as error:
                match exit_code.read_text(encoding="ascii") if exit_code.exists() else None:
                    case "2":
                        raise AirflowFailException(f"wrong usage or configuration, no retry helps: {error}") from error
                    case "99":
                        raise AirflowSkipException("nothing to do") from error
                raise

    def _require_connection(self) -> None:
        """Fail where the connection is missing: the operator would take that for a Spark on YARN."""
        try:
            BaseHook.get_connection(self._connection)
        except AirflowNotFoundException as error:
            make = (
                f"airflow connections add {self._connection} --conn-type spark"
                f" --conn-host '{self._settings.spark.master}'"
            )
            raise AirflowFailException(f"there is no connection {self._connection}; make it: {make}") from error
