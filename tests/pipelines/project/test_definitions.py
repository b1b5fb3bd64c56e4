"""Folders of ``features`` that hold no definitions."""

import re
from pathlib import Path

import pytest

from conf.errors import ConfigError
from conf.settings import ROOT
from pipelines.project.definitions import list_definition_files
from tests.projects.small_lake import make_project


@pytest.mark.parametrize("name", ["spark", "local"])
def test_a_domain_cannot_have_a_name_that_the_engine_keeps(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "features" / name
    folder.mkdir(parents=True)
    with pytest.raises(ConfigError, match=re.escape(f"{folder}: is a name that Headwater keeps for its own code")):
        make_project(tmp_path, {}, definitions="")


def test_in_the_engines_own_clone_these_folders_hold_no_definitions() -> None:
    assert {path.parent.name for path in list_definition_files(ROOT)} == {"flights"}
