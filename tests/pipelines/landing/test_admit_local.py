"""Files that are admitted side by side get the verdicts, and the order, that they get one by one."""

from pathlib import Path
from threading import Barrier
from typing import BinaryIO

import pytest

from pipelines.landing import admit_local as admitting
from pipelines.landing.admit_local import admit_local
from pipelines.landing.listing import LandedFile, list_landed
from pipelines.landing.open_files import open_local
from tests.pipelines.landing.bad_files import CASES, HEADER, small_contract


def landed(folder: Path) -> list[LandedFile]:
    return list_landed(str(folder), small_contract())


def test_verdicts_and_order_are_those_of_one_by_one(tmp_path: Path) -> None:
    """Damaged files, a link and a file that cannot be opened do not stop the others."""
    (tmp_path / "small").mkdir()
    for name, content, *_ in CASES:
        (tmp_path / "small" / name).write_bytes(content)
    (tmp_path / "small" / "link.csv").symlink_to(tmp_path / "small" / "plain.csv")
    files = [*landed(tmp_path), LandedFile(str(tmp_path / "small" / "gone.csv"), "small/gone.csv", 1, 1)]
    alone = admit_local(files, small_contract(), at_once=1)
    assert admit_local(files, small_contract(), at_once=4) == alone
    found = {Path(file.name).name: admission for file, admission in zip(files, alone, strict=True)}
    assert {name: found[name].status for name, *_ in CASES} == {name: status for name, _, status, *_ in CASES}
    assert (found["gone.csv"].file_hash, found["gone.csv"].reason) == ("", "cannot be read: No such file or directory")
    assert (found["link.csv"].file_hash, found["link.csv"].status) == ("not-a-file", "failed")


@pytest.mark.parametrize("at_once", [2, 3])
def test_as_many_files_are_open_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Each file waits to be opened until as many wait as may be read at once; one by one would wait in vain."""
    (tmp_path / "small").mkdir()
    for number in range(6):
        (tmp_path / "small" / f"{number}.csv").write_bytes(HEADER + b"1,a,1\n" * number)
    barrier = Barrier(at_once, timeout=20)

    def open_together(uri: str) -> BinaryIO:
        barrier.wait()
        return open_local(uri)

    monkeypatch.setattr(admitting, "open_local", open_together)
    assert [admission.rows for admission in admit_local(landed(tmp_path), small_contract(), at_once)] == [*range(6)]
