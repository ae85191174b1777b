"""What somebody does in a browser in a demo that stays up: looks, approves, goes back, and mistypes a form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
from selenium.webdriver.common.keys import Keys

from tests.demo.another_port import FETCH, HARM, harmful_page
from tests.servers.browser import Browser

HOSTILE = '<img src=x onerror="window.hacked=1">'
"""Shown as text, or run as a script. MLflow takes it for the name of a model, and no such key, metric or alias."""
MAIN, TAB, DIALOG = "main", "section[aria-label='Models of this run']", "[role=alertdialog]"
FLAW = "return [...document.querySelectorAll('main')].some((one) => one.scrollWidth > one.clientWidth)"


class Visit:
    """One visit; ``seen`` holds the texts of pages, ``faults`` what axe found serious on ours."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.seen: dict[str, str] = {}
        self.faults: dict[str, list[Any]] = {}

    def look(self, name: str, text: str, ours: str = "") -> None:
        """Wait for a text, and keep the page's text, its picture and, of a page of ours, its faults."""
        self.seen[name] = self.browser.sees(text)
        self.browser.picture(name)
        if ours:
            self.faults[name] = self.browser.faults(ours)

    def read_all(self) -> None:
        """From the navigation to what serves, to a release with its entries, to the versions of the model."""
        self.browser.click("a", "Models")
        self.look("what-serves", "Live traffic: 100 %", MAIN)
        self.browser.click("button", "Releases")
        self.look("releases", "rolled back", MAIN)
        self.browser.click("main a", "deploy, version")
        self.look("release", "proven to serve", MAIN)
        self.browser.open("plugin/models?view=models&model=flights")
        self.look("versions", "Evaluated against", MAIN)

    def approve(self, run_id: str) -> None:
        """From the page to the question and, once it is answered, to the tab of its run."""
        self.browser.open("plugin/models")
        self.look("question", "1 question waits for an answer", MAIN)
        self.browser.click("main a", "Answer in promote_with_approval")
        self.look("approval", "Spring is back")
        self.browser.click_answer("Approve")
        self.look("approved", "response successful")
        self.browser.open(f"dags/promote_with_approval/runs/{run_id}/plugin/run-models")
        self.look("tab", "promote, version", TAB)

    def roll_back(self, version: int, reason: str) -> None:
        """By keyboard: change one's mind once, then press."""
        self.browser.open("plugin/models")
        self.look("before", "Roll back to version")
        self.browser.press("main button", Keys.ENTER, "Roll back to version")
        self.browser.press("#models-reason", Keys.ESCAPE)
        self.browser.until(lambda: not self.browser.all(DIALOG), "no dialog")
        self.browser.press("main button", Keys.ENTER, "Roll back to version")
        self.browser.one("#models-reason")
        self.seen["focus"] = self.browser.run("return document.activeElement.id")
        self.browser.type("#models-reason", reason)
        self.look("confirm", "is quarantined", DIALOG)
        self.browser.press("#models-reason", Keys.TAB + Keys.TAB + Keys.ENTER)
        self.look("done", "Done.", DIALOG)
        self.browser.press(f"{DIALOG} button", Keys.ENTER, "Close")
        self.look("after", f"Version {version} serves", MAIN)

    def be_lured_to_another_port(self) -> list[str]:
        """Visit a page that presses in this session's name; what its scripts were told."""
        press = f"{self.browser.url}/model-lifecycle/models/api/rollback"
        with harmful_page(press) as page:
            self.browser.driver.get(page)
            told = self.browser.driver.execute_async_script(FETCH, press, json.dumps(HARM))
            self.browser.click("button", "Press")
            self.look("lured", "detail")
        return list(told)

    def promote(self, version: str, reason: str) -> None:
        """Fill in the form of ``promote_model``."""
        self.browser.open("dags/promote_model")
        self.browser.click("button", "Trigger")
        self.browser.press("#element_version", Keys.CONTROL + "a" + Keys.NULL + version)
        self.browser.type("#element_reason", reason)
        self.browser.click("[role=dialog] button", "Trigger")

    def read_log(self, run_id: str) -> None:
        self.browser.open(f"dags/promote_model/runs/{run_id}/tasks/deploy?try_number=1")
        self.look("denied", "is quarantined")

    def look_at_hostile_texts(self, mlflow: str) -> None:
        """A model whose name and tags somebody has made up to harm."""
        register_hostile(mlflow)
        self.browser.open("plugin/models?view=models")
        self.look("models", HOSTILE)
        self.browser.click("main button", HOSTILE)
        self.browser.sees(f"Versions of {HOSTILE}")
        self.browser.click("summary", "Tags")
        self.look("hostile", f"note: {HOSTILE}", MAIN)
        assert not self.browser.run("return window.hacked")

    def look_in_the_dark_through_a_slit(self) -> None:
        self.browser.run("document.documentElement.className = 'dark'")
        self.browser.driver.set_window_size(420, 900)
        self.browser.open("plugin/models")
        self.browser.sees("Live traffic")
        self.browser.run("document.documentElement.className = 'dark'")
        self.look("narrow", "Live traffic", MAIN)
        assert not self.browser.run(FLAW)


def register_hostile(mlflow: str) -> None:
    """Two versions, with metrics; the first is the champion."""

    def post(path: str, **body: object) -> Any:
        answer = requests.post(f"{mlflow}/api/2.0/mlflow/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    post("registered-models/create", name=HOSTILE)
    tags = {"note": HOSTILE, "drift": HOSTILE, "drift_report": "javascript:window.hacked=1"}
    rows = [{"key": key, "value": value} for key, value in tags.items()]
    for loss in (0.41, 0.37):
        run = post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
        post("runs/log-metric", run_id=run, key="log_loss", value=loss, timestamp=1)
        post("model-versions/create", name=HOSTILE, source="s3://bucket/x", run_id=run, tags=rows)
    post("registered-models/alias", name=HOSTILE, alias="champion", version="1")


def in_browser(look: Any, version: str, bad: str, folder: Path) -> dict[str, Any]:
    """One visit of an admin, and what came of each run it started.

    :param version: what is approved.
    :param bad: what is quarantined.
    :param folder: for pictures.
    """
    done: dict[str, Any] = {}
    question = look.api.trigger("promote_with_approval", {"version": version, "reason": "Spring is back"})
    with Browser(look.api.url, folder) as browser:
        browser.login("admin", look.password)
        visit = Visit(browser)
        visit.read_all()
        visit.approve(question)
        done["approved"] = look.finished("promote_with_approval", question)
        done["before"] = look.standing()
        visit.roll_back(done["before"]["aliases"]["previous"], "callers complain")
        done["rolled back"] = look.finished("rollback_model", look.newest("rollback_model"))
        done["lured"] = visit.be_lured_to_another_port()
        done["pressed"] = [str(run["conf"]["reason"]) for run in look.api.runs("rollback_model")]
        visit.promote("../3", "looks good")
        visit.look("refused", "does not match")
        visit.promote(bad, "looks good")
        browser.sees("Dag Run")
        done["denied"] = look.finished("promote_model", look.newest("promote_model"))
        visit.read_log(look.newest("promote_model"))
        visit.look_at_hostile_texts(look.mlflow.url)
        visit.look_in_the_dark_through_a_slit()
    return {**done, "seen": visit.seen, "faults": visit.faults}
