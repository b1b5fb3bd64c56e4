"""Admit a file that is held in memory and read it back, for tests of every format."""

import hashlib
import io
from typing import Any

from conf.contract import Contract
from pipelines.landing.admission import Admission, admit
from pipelines.landing.parse import bronze_schema, parse


def read_back(content: bytes, contract: Contract, name: str) -> tuple[Admission, list[dict[str, Any]]]:
    """Admit and parse; return the rows in the order of their numbers, which must be 1, 2, 3, …"""
    admission = admit(lambda: io.BytesIO(content), contract, name)
    assert admission.file_hash == hashlib.sha256(content).hexdigest()
    rows: list[dict[str, Any]] = []
    if admission.status != "failed":
        for batch in parse(lambda: io.BytesIO(content), contract, name, admission.file_hash):
            assert batch.schema == bronze_schema(contract)
            batch.validate(full=True)
            rows += batch.to_pylist()
    rows.sort(key=lambda row: row["_row_number"])
    assert [row["_row_number"] for row in rows] == list(range(1, admission.rows + 1))
    return admission, rows
