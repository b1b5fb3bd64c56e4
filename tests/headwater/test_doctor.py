"""Each check of ``headwater doctor`` sees what it is there to see, and says how to mend it."""

import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.errors import EnvironmentProblem
from conf.jars import JAR_FOLDER, JARS
from conf.settings import ROOT, ServerSettings, Settings, load_settings
from headwater.doctor import check_folder, check_jars, check_server_port, check_spark_home, diagnose
from headwater.servers.ports import require_port


@pytest.fixture
def taken() -> Iterator[ServerSettings]:
    """A port on which a program that is not MLflow listens, and does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield ServerSettings(port=server.getsockname()[1])


class _VersionServer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/version" else 404)
        self.end_headers()
        self.wfile.write(b"3.17.2")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def answering() -> Iterator[ServerSettings]:
    """A port on which a server answers as MLflow's does."""
    with http.server.HTTPServer(("127.0.0.1", 0), _VersionServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield ServerSettings(port=server.server_address[1])
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def settings_in(folder: Path, **overrides: str) -> Settings:
    environ = {
        "HEADWATER__LAKE": str(folder / "tables"),
        "HEADWATER__LANDING": str(folder / "landing"),
        "HEADWATER__TRACKING_URI": f"sqlite:///{folder}/mlflow/mlflow.db",
        "HEADWATER__ARTIFACTS": str(folder / "artifacts"),
        "HEADWATER__MLFLOW__PORT": str(free_port()),
    }
    return load_settings(ROOT, "local", environ | overrides)


def test_a_machine_that_was_set_up_is_well(tmp_path: Path) -> None:
    found = json.loads(json.dumps(diagnose(settings_in(tmp_path)).to_json()))
    assert found["ok"], [check for check in found["checks"] if not check["ok"]]
    assert list(found) == ["ok", "lake", "landing", "tracking_uri", "checks"]
    assert {tuple(check) for check in found["checks"]} == {("name", "ok", "detail", "fix")}
    assert found["lake"] == str(tmp_path / "tables")
    assert found["landing"] == str(tmp_path / "landing")
    assert found["tracking_uri"] == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert list(tmp_path.iterdir()) == [], "a check makes nothing"


def test_one_bad_check_makes_the_diagnosis_bad(tmp_path: Path, taken: ServerSettings) -> None:
    diagnosis = diagnose(settings_in(tmp_path, HEADWATER__MLFLOW__PORT=str(taken.port)))
    assert not diagnosis.ok
    assert [check.name for check in diagnosis.checks if not check.ok] == ["port"]


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    tracking_uri = "postgresql://mlflow:s3cr3t@db.example/mlflow"
    shown = json.dumps(diagnose(settings_in(tmp_path, HEADWATER__TRACKING_URI=tracking_uri)).to_json())
    assert "db.example" in shown
    assert "s3cr3t" not in shown


def test_a_missing_or_altered_jar_is_named(tmp_path: Path) -> None:
    for name in JARS:
        shutil.copy(JAR_FOLDER / name, tmp_path)
    assert check_jars(tmp_path).ok
    with (tmp_path / JARS[1]).open("ab") as jar:
        jar.write(b"\0")
    assert (check_jars(tmp_path).ok, JARS[0] in check_jars(tmp_path).detail) == (False, False)
    (tmp_path / JARS[0]).unlink()
    found = check_jars(tmp_path)
    assert all(name in found.detail for name in JARS)
    assert "make setup" in found.fix


def test_a_folder_can_be_there_or_be_made(tmp_path: Path) -> None:
    assert check_folder("lake", str(tmp_path), is_written=True).ok
    assert check_folder("lake", str(tmp_path / "a" / "b"), is_written=True).ok
    assert check_folder("lake", "s3a://bucket/lake", is_written=True).ok


@pytest.mark.parametrize("below", ["", "a"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    found = check_folder("lake", str(file / below), is_written=True)
    assert not found.ok
    assert f"{file} is not a folder" in found.detail
    assert "HEADWATER__LAKE" in found.fix


def test_a_folder_in_which_nothing_can_be_made() -> None:
    found = check_folder("artifacts", "/proc/headwater", is_written=True)
    assert not found.ok
    assert "no file can be made in /proc" in found.detail


def test_a_free_port() -> None:
    server = ServerSettings(port=free_port())
    assert check_server_port(server, "mlflow").ok
    require_port(server, "mlflow")


def test_a_port_that_another_program_holds(taken: ServerSettings) -> None:
    found = check_server_port(taken, "mlflow")
    assert not found.ok
    assert "HEADWATER__MLFLOW__PORT=" in found.fix
    with pytest.raises(EnvironmentProblem, match=f"{taken.port} is taken.*\n.*HEADWATER__MLFLOW__PORT"):
        require_port(taken, "mlflow")


def test_a_port_on_which_mlflow_answers_is_well_but_not_to_be_had(answering: ServerSettings) -> None:
    assert check_server_port(answering, "mlflow").ok
    with pytest.raises(EnvironmentProblem, match="a server of MLflow runs there"):
        require_port(answering, "mlflow")


def test_another_spark_on_the_machine_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPARK_HOME", raising=False)
    assert check_spark_home().ok
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert (check_spark_home().ok, check_spark_home().fix) == (False, "unset SPARK_HOME")
