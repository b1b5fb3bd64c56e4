"""The Airflow operator that submits a Headwater command to Spark and acts on its exit code."""

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
    """A SparkSubmitOperator: exit code 2 of the command fails the task without a retry, 99 skips it.

    The command writes its exit code into a file that the operator names, because from spark-submit the operator learns
    only that it failed. The Spark properties are read from conf/ when the task runs.
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
        """Fail when the connection is missing; without it, SparkSubmitOperator would submit to YARN."""
        try:
            BaseHook.get_connection(self._connection)
        except AirflowNotFoundException as error:
            make = f"airflow connections add {self._connection} --conn-type spark --conn-host"
            message = f"there is no connection {self._connection}; make it: {make} '{self._settings.spark.master}'"
            raise AirflowFailException(message) from error
