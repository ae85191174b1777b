"""Run the demo: ``python -m demo``, or ``make demo``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from demo.drill import drill
from demo.folder import own_folder
from demo.readback import readable, registered, registry_aliases, traffic
from demo.rerun import rerun
from demo.schedule import RETRAIN, SCORE, follow, months, scored, show_failures, show_months
from demo.screen import Screen
from demo.servers import ROOT, Servers
from model_lifecycle.core.errors import ModelLifecycleError

SECONDS_FOR_A_MONTH = 300
FIRST_MONTH = 2
MANUAL = ("promote_model", "promote_with_approval", "rollback_model")
"""DAGs that are only run by hand: unpaused at the end, for whoever looks around."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line; each flag can also be given by the environment, as ``make demo ONCE=1`` does."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=env.get("DEMO_FOLDER", ROOT / ".demo"), help="for all files")
    parser.add_argument("--months", type=int, default=env.get("MONTHS", 6), help="of 2013 to run, 1 to 11")
    parser.add_argument("--port", type=int, default=env.get("PORT", 0), help="of Airflow's UI; 0 for a free one")
    parser.add_argument("--once", action="store_true", default=_flag("ONCE"), help="end instead of staying up")
    parser.add_argument(
        "--require-hdfs",
        action="store_true",
        default=_flag("REQUIRE_HDFS") or _flag("CI"),
        help="fail where no HDFS can be had, instead of using a folder",
    )
    parser.add_argument(
        "--verify-rerun", action="store_true", help="clear and repeat finished runs; nothing may change"
    )
    options = parser.parse_args(argv)
    if not 1 <= options.months <= 11:
        parser.error("--months goes from 1 to 11")
    options.folder = options.folder.absolute()
    return options


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() not in ("", "0", "false", "no")


def start(screen: Screen, servers: Servers) -> None:
    """Start all servers, and say what HDFS lacks if it cannot be one of them."""
    if servers.missing:
        screen.line(f"  [yellow]No HDFS: apt-get install {' '.join(servers.missing)}[/]")
        screen.line(f"  Models go to {servers.store_uri} instead.")
    with screen.waiting("Starting servers (the first HDFS ever downloads 220 MB) ..."):
        for name, seconds in servers.start():
            screen.line(f"  [green]✓[/] {name:8} ready after {seconds:4.1f} s   {servers.urls[name]}")


def run_schedule(screen: Screen, servers: Servers, count: int) -> list[dict[str, Any]]:
    """Let the scheduler run the months, then say what came of each."""
    api = servers.airflow.api
    api.wait_for_dags([RETRAIN, SCORE])
    api.unpause(SCORE)
    api.unpause(RETRAIN)
    runs = follow(screen, api, RETRAIN, count, SECONDS_FOR_A_MONTH * count)
    found = months(servers, runs)
    show_months(screen, found)
    good = [month for month in found if month["state"] == "success"]
    screen.check(len(good) == len(found) == count, "every run succeeded", f"{len(good)} of {count}")
    for month in found:
        show_failures(screen, month["month"], month["failures"])
    promoted = [month for month in found if month["outcome"] == "promoted"]
    screen.check(bool(promoted), "at least one version was promoted", f"{len(promoted)} of {count}")
    champions, versions = scored(api, len(promoted)), [month["version"] for month in promoted]
    screen.check(champions == versions, f"{SCORE} ran for every new champion", f"versions {champions}")
    return found


def check_versions(screen: Screen, servers: Servers, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every run's version is in MLflow and can be read whole from the store; what serves is what all say."""
    versions = registered(servers)
    expected = {month["version"] for month in found}
    listed = {version["version"] for version in versions}
    numbers = f"versions {', '.join(map(str, sorted(listed)))}"
    screen.check(None not in expected and expected == listed, "every version is registered in MLflow", numbers)
    for version in versions:
        version["fault"] = readable(servers.store, version["artifact_uri"])
    good = [version for version in versions if not version["fault"]]
    where = "HDFS" if servers.hdfs else "the folder"
    screen.check(len(good) == len(versions) > 0, f"every version is whole on {where}", f"{len(good)} read back")
    return versions


def check_agreement(screen: Screen, servers: Servers) -> dict[str, Any]:
    """The ledger, the scorer and MLflow name the same version."""
    newest, routed = servers.ledger.newest(), traffic(servers)
    serving = newest.standing.serving.version if newest and newest.standing.serving else None
    aliases = registry_aliases(servers)
    screen.check(
        serving is not None and routed == {str(serving): 100} and aliases.get("champion") == serving,
        "ledger, scorer and MLflow agree on what serves",
        f"version {serving}",
    )
    return {"version": serving, "traffic": routed, "aliases": aliases}


def run(screen: Screen, servers: Servers, options: argparse.Namespace, summary: dict[str, Any]) -> None:
    """The demo itself, once everything is up."""
    with screen.stage("servers", "Starting HDFS, MLflow, a scorer and Airflow"):
        start(screen, servers)
    with screen.stage("schedule", f"Airflow retrains month by month ({options.months} months of 2013)"):
        summary["months"] = run_schedule(screen, servers, options.months)
    with screen.stage("readback", "Reading back what was published"):
        summary["versions"] = check_versions(screen, servers, summary["months"])
        summary["serving"] = check_agreement(screen, servers)
    if options.verify_rerun:
        with screen.stage("rerun", "Clearing finished runs and running them again"):
            promoted = [month["run_id"] for month in summary["months"] if month["outcome"] == "promoted"]
            chosen = sorted({summary["months"][0]["run_id"], *promoted[-1:]})
            summary["rerun"] = rerun(screen, servers, chosen, SECONDS_FOR_A_MONTH)
    with screen.stage("drill", "The drill: a bad version goes live while callers keep asking"):
        summary["drill"] = drill(screen, servers, SECONDS_FOR_A_MONTH)
        summary["serving"] = check_agreement(screen, servers)


def write_summary(screen: Screen, servers: Servers, options: argparse.Namespace, summary: dict[str, Any]) -> None:
    """Leave what happened for machines to read."""
    found = summary.get("months", [])
    outcomes = [month["outcome"] for month in found]
    summary |= {
        "ok": screen.well and "error" not in summary,
        "hdfs": servers.hdfs is not None,
        "store": servers.store_uri,
        "urls": servers.urls,
        "login": {"user": "admin", "password_file": str(servers.airflow.folder / "passwords.json")},
        "checks": screen.checks,
        "seconds": screen.seconds,
        "counts": {
            "runs": len(found),
            "versions": len(summary.get("versions", [])),
            **{name.replace(" ", "_"): outcomes.count(name) for name in sorted(set(outcomes))},
        },
    }
    (options.folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


def stay(screen: Screen, servers: Servers) -> None:
    """Tell where everything is and wait for Ctrl-C."""
    for dag in MANUAL:
        servers.airflow.api.unpause(dag)
    screen.line("\n[bold]Look around[/]")
    for name, url in servers.urls.items():
        screen.line(f"  {name:8} {url}")
    screen.line(f"  Login of Airflow: [bold]admin[/] / [bold]{servers.airflow.password}[/]")
    screen.line(f"  To act yourself: the Trigger button of {' or '.join(MANUAL)} in Airflow")
    screen.line("\nEverything stays up until you press Ctrl-C.")
    while True:
        time.sleep(3600)


def main(argv: Sequence[str]) -> int:
    """Run everything; 0 only if all of it happened as it should."""
    options, screen = arguments(argv), Screen()
    with own_folder(screen, options.folder):
        servers = Servers(options.folder, last_month=FIRST_MONTH + options.months - 1, port=options.port)
        if servers.missing and options.require_hdfs:
            sys.exit(f"no HDFS: apt-get install {' '.join(servers.missing)}")
        return _run_and_stop(screen, servers, options)


def listen() -> None:
    """End well on every signal that asks for it.

    A shell starts what it puts in the background with SIGINT ignored, and nohup with SIGHUP: only the latter is meant.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _run_and_stop(screen: Screen, servers: Servers, options: argparse.Namespace) -> int:
    summary: dict[str, Any] = {}
    listen()
    try:
        try:
            run(screen, servers, options, summary)
        except (RuntimeError, ModelLifecycleError, requests.RequestException) as error:
            summary["error"] = str(error)
            screen.console.print(f"\n{error}", style="red", markup=False)
        write_summary(screen, servers, options, summary)
        if not options.once and "error" not in summary:
            stay(screen, servers)
        return 0 if summary["ok"] else 1
    except KeyboardInterrupt:
        return 0 if summary.get("ok") else 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        screen.line("\nStopping everything ...")
        servers.stop()
        verdict = "[green]Everything happened[/]" if summary.get("ok") else "[red]Not everything happened[/]"
        screen.line(f"{verdict}; what did is in {options.folder / 'summary.json'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
