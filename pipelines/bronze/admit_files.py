"""Admission of the new files of one table, with the delivery time that each file's path says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.contract import INGESTION, Contract
from conf.errors import FileRejected
from pipelines.landing.admission import Admission, admit
from pipelines.landing.byte_stream import OpenStream
from pipelines.landing.delivery import delivered_at
from pipelines.landing.listing import LandedFile
from pipelines.landing.open_files import map_files, open_local
from pipelines.ledger.file_records import FAILED

ADMISSION = "uri string, file_hash string, status string, rows bigint, reason string"


@dataclass(frozen=True)
class AdmittedFile:
    """A landed file, the verdict on it, and when it was delivered; None when its path does not say."""

    file: LandedFile
    admission: Admission
    delivered_at: datetime | None


def admit_files(spark: SparkSession, contract: Contract, files: list[LandedFile], now: datetime) -> list[AdmittedFile]:
    """Judge files one by one and return them in the order of their delivery.

    So the first file with a content is the one that was delivered first, and later ones are its repeats.

    Raises
    ------
    FileRejected : when a file is damaged and the contract says ``on_bad_file: fail``
    """
    result = []
    for file, admission in _read_and_admit(spark, contract, files):
        delivered: datetime | None = now
        if contract.landing.delivered != INGESTION:
            try:
                path = file.name.removeprefix(f"{contract.landing.path}/")
                delivered = delivered_at(path, contract.landing.delivered)
            except FileRejected as error:
                admission, delivered = replace(admission, status="failed", reason=str(error)), None
        if admission.status == FAILED and contract.landing.on_bad_file == "fail":
            raise FileRejected(f"{file.name}: {admission.reason}", "mend or remove it; nothing was loaded")
        result.append(AdmittedFile(file, admission, delivered))
    return sorted(result, key=lambda admitted: (admitted.delivered_at or now, admitted.file.name))


def _read_and_admit(
    spark: SparkSession, contract: Contract, files: list[LandedFile]
) -> list[tuple[LandedFile, Admission]]:
    """Admit local files in this process, and those on object storage in Spark's tasks."""
    if not files or "://" not in files[0].uri:
        return [(file, _admit_one(partial(open_local, file.uri), contract, file.name)) for file in files]

    def each(file: LandedFile, open_stream: OpenStream) -> Iterator[pa.RecordBatch]:
        admission = _admit_one(open_stream, contract, file.name)
        row = {"uri": file.uri, "file_hash": admission.file_hash, "status": admission.status}
        yield pa.RecordBatch.from_pylist([{**row, "rows": admission.rows, "reason": admission.reason}])

    rows = {row["uri"]: row for row in map_files(spark, files, each, ADMISSION).collect()}
    found = [(file, rows[file.uri]) for file in files]
    return [(f, Admission(r["file_hash"], r["status"], r["rows"], r["reason"])) for f, r in found]


def _admit_one(open_stream: OpenStream, contract: Contract, name: str) -> Admission:
    """Admit one file. One that cannot be opened has no hash: it is not recorded, and the next load tries it again."""
    try:
        return admit(open_stream, contract, name)
    except FileRejected as error:
        return Admission("not-a-file", "failed", 0, error.what)
    except OSError as error:
        return Admission("", "failed", 0, f"cannot be read: {error.strerror or error}")
