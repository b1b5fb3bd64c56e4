"""Tables written in this process: what is new is inserted once, and the log says by whom and how many."""

from pathlib import Path

import pyarrow as pa

from pipelines.delta.commit import Commit, Outcome, Stamp
from pipelines.delta.local import append_records, merge_new_records, merge_records, query_tables
from pipelines.delta.log import changed_version, our_metadata, walk_commits_back, written_rows
from tests.projects.small_lake import RUN

STAMP = Stamp("scores", RUN, extra={"model": "m"})


def rows(*numbers: int, score: float = 0.5) -> pa.Table:
    return pa.table({"id": pa.array(numbers, pa.int32()), "score": [score] * len(numbers)})


def read(path: str) -> list[tuple[int, float]]:
    batches = pa.RecordBatchReader.from_stream(query_tables({("gold", "t"): path}, None, "SELECT * FROM gold.t", {}))
    return sorted((row["id"], row["score"]) for row in batches.read_all().to_pylist())


def test_only_new_keys_are_inserted(tmp_path: Path) -> None:
    path = str(tmp_path / "scores")
    assert merge_new_records(path, None, rows(1, 2), ["id"], STAMP) == Commit(Outcome.APPLIED, -1, 1, 2)
    again = merge_new_records(path, None, rows(2, 3, score=9.0), ["id"], STAMP, ["t.id >= 2"])
    assert again == Commit(Outcome.APPLIED, 1, 2, 1)
    assert read(path) == [(1, 0.5), (2, 0.5), (3, 9.0)]
    assert merge_new_records(path, None, rows(3), ["id"], STAMP) == Commit(Outcome.UNCHANGED, 2, 2)
    assert [our_metadata(commit).get("model") for commit in walk_commits_back(path)] == ["m", "m", None]


def test_the_log_counts_rows_whoever_wrote_them(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    append_records(path, None, rows(1, 2), STAMP)
    merge_records(path, None, rows(2, 3), ["id"], STAMP)
    assert [written_rows(commit) for commit in walk_commits_back(path)] == [(1, 1, 0), (2, None, None)]
    assert changed_version(path) == 1
