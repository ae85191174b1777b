"""The demo as a newcomer runs it: a true schedule on real servers, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import __main__ as demo
from demo.folder import VARIABLE, own_folder
from demo.screen import Screen
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import State
from tests.demo.by_hand import WRONG, by_hand

ROOT = Path(__file__).parents[2]
MONTHS = ["2013-02", "2013-03", "2013-04"]

pytestmark = pytest.mark.timeout(1800)


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
def summary(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One whole demo of three months, two finished runs cleared and repeated, somebody who looks around, and Ctrl-C."""
    printed = tmp_path_factory.mktemp("output") / "demo.txt"
    flags = ("--months", str(len(MONTHS)), "--verify-rerun")
    with printed.open("wb") as out:
        process = subprocess.Popen(command(folder, *flags), cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        while "Ctrl-C" not in printed.read_text():
            assert process.poll() is None, printed.read_text()
            time.sleep(0.5)
        found = json.loads((folder / "summary.json").read_text())
        found["by_hand"] = by_hand(found, tmp_path_factory.mktemp("pictures"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)
    return {**found, "exit_code": process.returncode, "output": printed.read_text(), "left": processes_of(folder)}


@pytest.fixture(scope="module")
def hand(summary: dict[str, Any]) -> dict[str, Any]:
    return summary["by_hand"]


def test_the_demo_ends_well(summary):
    assert [check for check in summary["checks"] if not check["ok"]] == [], summary["output"]
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


def test_a_dag_that_waits_for_the_champion_ran_once_for_each_and_not_again_for_tasks_that_were_repeated(summary, hand):
    promoted = [run["version"] for run in summary["months"] if run["outcome"] == "promoted"]
    assert [run["version"] for run in hand["scored"]] == promoted
    for run in hand["scored"]:
        assert run["run_type"] == "asset_triggered"
        assert run["reason"]
        assert run["rows"] > 20_000
        assert 0 < run["mean"] < 1


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


def test_what_it_prints_leads_on(summary, hand):
    end = summary["output"][summary["output"].index("Look around") :]
    assert hand["password"] in end
    assert [url for url in summary["urls"].values() if url not in end] == []
    assert hand["pages"] == dict.fromkeys(summary["urls"].values(), 200)


def test_ctrl_c_when_it_is_done_stops_everything_and_ends_well(summary):
    assert summary["exit_code"] == 0, summary["output"]
    assert "Everything happened" in summary["output"]
    assert summary["left"] == []


def test_a_form_that_is_filled_in_wrongly_starts_nothing(hand):
    for (_, _, reason), answer in zip(WRONG, hand["refused"], strict=True):
        assert re.search(f": 400 .*({reason})", answer), answer


def test_rollback_model_brings_back_the_version_before_and_keeps_who_and_why(hand):
    before, after = hand["before"], hand["rolled back"]
    assert after["state"] == "success", after["failures"]
    assert_serves(after, before["aliases"]["previous"])
    release = after["release"]
    assert (release.state, release.plan.change) == (State.ROLLED_BACK, Change.ROLLBACK)
    assert release.plan.abandons == before["serving"]
    assert release.entries[0].reason == "callers complain"
    assert release.entries[0].actor["user"] == "admin"


def test_the_models_page_is_found_in_the_navigation_and_tells_what_serves_and_how_it_came_to(summary, hand):
    seen = hand["seen"]
    assert f"Version {summary['serving']['version']} serves" in seen["what-serves"]
    assert "Roll back to version" in seen["what-serves"]
    assert "bad_release_drill" in seen["releases"]
    assert "unversioned requests are answered by it" in seen["release"]
    assert "champion" in seen["versions"]


def test_a_promotion_that_waits_is_found_on_the_page_and_approved_on_airflow_s_own(summary, hand):
    approved = hand["approved"]
    assert approved["state"] == "success", approved["failures"]
    assert approved["results"]["ask"]["by"] == "admin"
    assert_serves(approved, approved["results"]["ask"]["version"])
    assert approved["aliases"]["previous"] == summary["serving"]["version"]
    assert "models:/flights/" in hand["seen"]["approval"]
    assert "promote, version" in hand["seen"]["tab"]


def test_a_rollback_is_pressed_without_a_mouse_and_the_page_shows_it(hand):
    seen, back = hand["seen"], hand["rolled back"]["serving"]
    assert seen["focus"] == "models-reason"
    assert f"Roll back to version {back}" in seen["before"]
    assert f"Live traffic: 100 % to version {back}" in seen["after"]
    assert "callers complain" in seen["after"]


def test_a_form_that_is_filled_in_wrongly_says_so_in_the_browser(hand):
    assert "'../3' does not match" in hand["seen"]["refused"]
    assert "is quarantined" in hand["seen"]["denied"]


def test_a_page_on_another_port_of_the_host_presses_nothing_in_the_name_of_who_visits_it(hand):
    assert "x-model-lifecycle is missing" in hand["seen"]["lured"]
    assert hand["lured"] == ["opaque", "Failed to fetch"]
    assert hand["pressed"] == ["callers complain"]


def test_axe_finds_nothing_serious_on_the_page_in_light_in_the_dark_and_where_it_is_narrow(hand):
    assert {"what-serves", "release", "versions", "confirm", "hostile", "narrow", "tab"} <= hand["faults"].keys()
    assert [found for found in hand["faults"].values() if found] == []


def test_promote_model_says_what_is_wrong_and_changes_nothing(hand):
    denied = hand["denied"]
    assert denied["state"] == "failed"
    assert "is quarantined" in denied["failures"]["deploy"]
    assert denied["release"].generation == hand["rolled back"]["release"].generation
    assert_serves(denied, hand["rolled back"]["serving"])


def test_promote_model_makes_a_version_the_champion_even_a_bad_one_if_told_to(summary, hand):
    promoted = hand["promoted"]
    assert set(promoted["tasks"].values()) == {"success"}, promoted["failures"]
    assert_serves(promoted, summary["drill"]["bad_version"])
    assert promoted["aliases"]["previous"] == hand["rolled back"]["serving"]


def test_monitor_flights_on_its_schedule_rolls_a_bad_version_back_and_asks_for_a_training(summary, hand):
    monitored, bad, good = hand["monitored"], summary["drill"]["bad_version"], hand["rolled back"]["serving"]
    assert (monitored["run_type"], monitored["state"]) == ("scheduled", "success"), monitored["failures"]
    verdict = monitored["results"]["monitor"]
    assert (verdict["verdict"], verdict["version"]) == ("FAIL", bad), verdict["reason"]
    acted = {name: monitored["tasks"][name] for name in ("roll_back", "retrain", "all_is_well")}
    assert acted == {"roll_back": "success", "retrain": "success", "all_is_well": "skipped"}
    restored = monitored["results"]["roll_back"]
    assert (restored["state"], restored["abandons"], restored["serving_version"]) == ("ROLLED_BACK", bad, good)


def test_monitor_flights_judges_what_the_scorer_logged_on_hdfs_as_labels_come(summary, hand):
    asked, drift, verdict = (hand["monitored"]["results"][name] for name in ("ask", "drift", "monitor"))
    bad = summary["drill"]["bad_version"]
    assert (asked["sick"], asked["model_uri"]) == ("", f"models:/flights/{bad}")
    assert drift["rows"] == asked["answered"] >= 1000
    assert (drift["verdict"], drift["persisted"], drift["compared_with"]) == ("FAIL", True, "training")
    assert "sched_hour" in drift["drifted"]
    found = {one["check"]: one for one in verdict["measurements"]}
    assert found.keys() == {"coverage", "labels", "log_loss", "estimated_log_loss"}
    assert found["coverage"]["samples"] == asked["answered"]
    assert 0.8 < found["coverage"]["value"] < 0.9
    assert (found["coverage"]["verdict"], found["log_loss"]["verdict"]) == ("PASS", "FAIL")
    assert found["estimated_log_loss"]["samples"] > 100


def test_the_training_that_the_monitor_asked_for_runs_to_its_end(summary, hand):
    retrained = hand["retrained"]
    assert retrained["conf"] == {"month": 4}
    assert retrained["state"] == "success", retrained["failures"]
    assert retrained["results"]["register"] == f"models:/flights/{summary['drill']['bad_version'] + 1}"
    assert_serves(retrained, retrained["serving"])


def assert_serves(found: dict[str, Any], version: int) -> None:
    """Ledger, scorer and registry name this version."""
    assert (found["serving"], found["traffic"], found["aliases"]["champion"]) == (version, {str(version): 100}, version)


@pytest.fixture
def signals() -> Iterator[None]:
    """What this process does about signals, as it was before a demo ran in it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_once_it_ends_by_itself_and_its_exit_code_tells_how(tmp_path, monkeypatch, holds, code):
    def nothing_but_a_check(screen: Screen, *_: object) -> None:  # a double of the months and the drill
        screen.check(holds, "everything happened")

    monkeypatch.setenv("ONCE", "1")
    monkeypatch.setattr(demo, "run", nothing_but_a_check)
    assert demo.main(["--folder", str(tmp_path)]) == code
    assert json.loads((tmp_path / "summary.json").read_text())["ok"] is holds


def test_sigint_while_it_starts_stops_everything_also_in_the_background(tmp_path):
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # as a script's shell starts what ends with &
    with subprocess.Popen([*ignoring, *command(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
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
        while not Path(f"/proc/{orphan.pid}/environ").read_bytes():
            time.sleep(0.01)  # Popen returns before the kernel has set up the new program's environment
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
