"""The demo as a newcomer runs it: a true schedule on real servers, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from demo import __main__ as demo
from demo.folder import VARIABLE, own_folder
from demo.screen import Screen

ROOT = Path(__file__).parents[2]
MONTHS = ["2013-02", "2013-03", "2013-04"]

pytestmark = pytest.mark.timeout(900)


def command(folder: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "demo", "--folder", str(folder), "--require-hdfs", *flags]


def processes_of(folder: Path) -> list[str]:
    """The processes whose command line or environment names the folder."""
    found = []
    for process in filter(lambda path: path.name.isdigit(), Path("/proc").iterdir()):
        try:
            line = (process / "cmdline").read_bytes()
            if int(process.name) != os.getpid() and str(folder).encode() in line + (process / "environ").read_bytes():
                found.append(line.replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    """What one whole demo of three months left, with two finished runs cleared and repeated in between."""
    flags = ("--once", "--months", str(len(MONTHS)), "--verify-rerun")
    done = subprocess.run(command(folder, *flags), cwd=ROOT, capture_output=True, text=True, timeout=880)
    assert (folder / "summary.json").exists(), done.stdout + done.stderr
    found = json.loads((folder / "summary.json").read_text())
    return {**found, "exit_code": done.returncode, "output": done.stdout + done.stderr}


def test_the_demo_ends_well(summary):
    assert summary["exit_code"] == 0, summary["output"]
    assert [check for check in summary["checks"] if not check["ok"]] == []
    assert summary["ok"]


def test_a_real_scheduler_ran_every_month_to_its_end(summary):
    assert [run["month"] for run in summary["months"]] == MONTHS
    assert {run["state"] for run in summary["months"]} == {"success"}
    assert all(run["run_id"].startswith("scheduled__") for run in summary["months"])


def test_each_month_has_a_version_of_its_own_judged_on_real_labels(summary):
    assert [run["version"] for run in summary["months"]] == [1, 2, 3]
    assert [run["baseline"] for run in summary["months"]] == ["constant prediction", "champion", "champion"]
    assert all(0 < run["candidate"] < 1 and 0 < run["rival"] < 1 for run in summary["months"])


def test_only_what_proved_better_was_promoted(summary):
    for run in summary["months"]:
        assert (run["outcome"] == "promoted") == (run["evaluated"] == run["monitored"] == "PASS"), run
        assert (run["candidate"] < run["rival"]) or run["outcome"] != "promoted", run
    assert summary["counts"]["promoted"] >= 1


def test_every_version_is_whole_on_hdfs(summary):
    assert summary["hdfs"]
    assert summary["store"].startswith("hdfs://")
    assert len(summary["versions"]) == len(MONTHS)
    for version in summary["versions"]:
        assert version["artifact_uri"].startswith("webhdfs://"), version
        assert version["fault"] == "", version


def test_clearing_and_running_finished_runs_again_changes_nothing(summary):
    again = summary["rerun"]
    assert again["after"] == again["before"]
    assert len(again["runs"]) == 2
    for run in again["runs"].values():
        assert run["state"] == "success"
        assert {"train", "upload", "register", "evaluate"} <= set(run["ran_again"])


def test_the_bad_release_was_rolled_back_and_no_caller_saw_an_error(summary):
    drill = summary["drill"]
    assert drill["state"] == "success"
    assert drill["bad_version"] == len(MONTHS) + 1
    assert drill["serving_after"] == drill["serving_before"] == summary["serving"]["version"]
    assert drill["requests"] > 0
    assert drill["failed_requests"] == 0, drill["errors"]
    assert drill["answered_by_version"][str(drill["bad_version"])] > 0


def test_what_serves_is_what_ledger_scorer_and_registry_name(summary):
    serving = summary["serving"]
    assert serving["traffic"] == {str(serving["version"]): 100}
    assert serving["aliases"]["champion"] == serving["version"]


def test_nothing_is_left_running_after_it(summary, folder):
    assert processes_of(folder) == []


def test_ctrl_c_while_it_starts_stops_everything(tmp_path):
    with subprocess.Popen(command(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "ready after" in line:
                break
        assert len(processes_of(tmp_path)) > 1
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 130
    assert processes_of(tmp_path) == []


def test_a_folder_that_is_not_its_own_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit, match="not made by the demo"):
        demo.main(["--folder", str(tmp_path)])
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path):
    with own_folder(Screen(), tmp_path), pytest.raises(SystemExit, match="another demo"):
        demo.main(["--folder", str(tmp_path)])


def test_what_an_earlier_demo_left_is_removed_and_named(tmp_path, capsys):
    with own_folder(Screen(), tmp_path):
        (tmp_path / "mlflow").mkdir()
    with own_folder(Screen(), tmp_path):
        assert not (tmp_path / "mlflow").exists()
    assert "mlflow" in capsys.readouterr().out


def test_what_an_earlier_demo_left_running_is_ended(tmp_path):
    with subprocess.Popen(["sleep", "600"], env={VARIABLE: str(tmp_path), "PATH": os.environ["PATH"]}) as orphan:
        with own_folder(Screen(), tmp_path):
            assert orphan.wait(10) == -signal.SIGKILL
    with subprocess.Popen(["sleep", "600"], env={"PWD": str(tmp_path), "PATH": os.environ["PATH"]}) as stranger:
        with own_folder(Screen(), tmp_path):
            assert stranger.poll() is None
        stranger.kill()


def test_without_java_it_says_what_is_missing_and_uses_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("demo.servers.missing_packages", lambda: ["openjdk-17-jre-headless"])  # a machine without Java
    servers = demo.Servers(tmp_path, last_month=2)
    assert servers.hdfs is None
    assert servers.store_uri == (tmp_path / "models").as_uri()
    with pytest.raises(SystemExit, match="apt-get install openjdk-17-jre-headless"):
        demo.main(["--folder", str(tmp_path / "demo"), "--require-hdfs"])


@pytest.mark.parametrize("months", ["0", "12", "many"])
def test_a_number_of_months_that_2013_does_not_have_is_refused(months, capsys):
    with pytest.raises(SystemExit):
        demo.main(["--months", months])
    assert "--months" in capsys.readouterr().err
