"""Which files of a landing folder are data, and which of them are new."""

import os
from pathlib import Path

import pytest

from conf.contract import Contract
from conf.errors import DataError
from pipelines.landing.listing import LandedFile, find_new_files, list_landed
from tests.pipelines.landing.bad_files import small_contract


def contract_of(files: str) -> Contract:
    declared = small_contract().model_dump()
    return Contract.model_validate(declared | {"landing": declared["landing"] | {"files": files}})


def land(root: Path, name: str, content: bytes = b"id\n", modified_ns: int = 1_700_000_000_000_000_007) -> LandedFile:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(modified_ns, modified_ns))
    return LandedFile(str(path), name, len(content), modified_ns)


def test_data_files_of_all_folders_sorted_by_name(tmp_path: Path) -> None:
    names = ["small/b.csv", "small/a/2/z.csv", "small/a.csv", "small/a/1/é [1], {x}.csv"]
    data = [land(tmp_path, name, b"x" * size) for size, name in enumerate(names)]
    for name in (
        "a/.x.csv",
        "a/x.csv.tmp",
        "_temporary/0/x.csv",
        ".git/x.csv",
        "d=1.part/x.csv",
        "a/x.json",
        "_SUCCESS",
    ):
        land(tmp_path, f"small/{name}")
    land(tmp_path, "other/x.csv")
    (tmp_path / "small" / "link.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "small" / "linked").symlink_to(tmp_path / "other")
    landed = list_landed(str(tmp_path), contract_of("*.csv"))
    assert [file.name for file in landed if file.name != "small/link.csv"] == sorted(names)
    assert set(data) < set(landed)
    assert landed == sorted(landed, key=lambda file: file.name)
    assert [file.name for file in list_landed(str(tmp_path), contract_of("[ab].*"))] == ["small/a.csv", "small/b.csv"]


def test_nothing_has_landed_where_there_is_no_folder(tmp_path: Path) -> None:
    assert list_landed(str(tmp_path / "missing"), small_contract()) == []


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("a file", encoding="utf-8")
    with pytest.raises(DataError, match="small/ cannot be listed"):
        list_landed(str(tmp_path), small_contract())


def test_new_are_the_files_whose_name_size_or_time_was_not_seen(tmp_path: Path) -> None:
    same, longer, later, new = (land(tmp_path, f"small/{name}.csv") for name in ("same", "longer", "later", "new"))
    seen = {
        (same.name, same.size, same.modified_ns),
        (longer.name, longer.size - 1, longer.modified_ns),
        (later.name, later.size, later.modified_ns - 1),
        ("small/gone.csv", 1, 1),
    }
    landed = list_landed(str(tmp_path), small_contract())
    assert find_new_files(landed, seen) == [later, longer, new]
    assert find_new_files([], seen) == []
