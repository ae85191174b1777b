"""A headless Chromium that somebody uses Airflow with: what is seen, clicked and typed, and what axe says of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

DEBIAN_PACKAGES = {"/usr/bin/chromium": "chromium", "/usr/bin/chromedriver": "chromium-driver"}
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
"""Names are not found: what needs any other machine does not work."""
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", OFFLINE)
T = TypeVar("T")
_AXE = """
const done = arguments[arguments.length - 1];
const short = (one) => [one.impact, one.id, one.nodes.map((node) => node.html)];
axe.run(arguments[0]).then((told) => done(told.violations.map(short)));
"""


class Browser:
    """One window, logged in by :meth:`login`.

    :param folder: where pictures go.
    :param patience: seconds to wait for what shall be seen.
    """

    def __init__(self, url: str, folder: Path, *, size: tuple[int, int] = (1400, 1000), patience: float = 90) -> None:
        self.url, self.folder, self.size, self.patience = url, folder, size, patience

    def __enter__(self) -> Self:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        width, height = self.size
        for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self._profile.name}"):
            options.add_argument(flag)
        service = webdriver.ChromeService("/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options=options, service=service)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is not None:
                self.picture("failed")
        finally:
            self.driver.quit()
            self._profile.cleanup()

    def login(self, user: str, password: str) -> None:
        self.open("")
        self.one("input[name=username]").send_keys(user)
        self.one("input[name=password]").send_keys(password)
        self.one("button[type=submit]").click()
        self.sees("Home")

    def open(self, path: str) -> None:
        self.driver.get(f"{self.url}/{path}")

    def until(self, found: Callable[[], T], what: str) -> T:
        """What is found, as soon as it is; a page that is drawn anew meanwhile is looked at again."""
        ignored = (StaleElementReferenceException, WebDriverException)
        wait = WebDriverWait(self.driver, self.patience, poll_frequency=0.2, ignored_exceptions=ignored)
        try:
            return wait.until(lambda _: found())
        except TimeoutException as error:
            raise AssertionError(f"{what} is not seen on {self.driver.current_url}: {self.text[:2000]}") from error

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def sees(self, text: str) -> str:
        """All text, as soon as it holds this one."""
        self.until(lambda: text in self.text, text)
        return self.text

    def one(self, selector: str, text: str = "") -> WebElement:
        """The first element that is shown, and holds the text."""
        found = self.until(lambda: [one for one in self.all(selector) if text in one.text], f"{selector} {text}")
        return found[0]

    def all(self, selector: str) -> list[WebElement]:
        return [one for one in self.driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    def click(self, selector: str, text: str = "") -> None:
        """Click as soon as it can be, which what covers it may delay."""
        self.until(lambda: (self.one(selector, text).click(), True)[1], f"{selector} {text}")

    def click_answer(self, text: str) -> None:
        """Answer a question of Airflow's; a page opened while the task looks for an answer has to be loaded again."""
        for _ in range(5):
            try:
                WebDriverWait(self.driver, 5).until(lambda _: self.one("button", text).is_enabled())
                return self.click("button", text)
            except TimeoutException:
                self.driver.refresh()
        raise AssertionError(f"{text} stays grey on {self.driver.current_url}")

    def type(self, selector: str, text: str) -> None:
        self.one(selector).send_keys(text)

    def press(self, selector: str, keys: str, text: str = "") -> None:
        """Press keys on an element, as somebody without a mouse does."""
        self.until(lambda: (self.one(selector, text).send_keys(keys), True)[1], f"{selector} {text}")

    def picture(self, name: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{name}.png"
        self.driver.save_screenshot(str(file))
        return file

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def faults(self, within: str = "main", script: Path | None = None) -> list[Any]:
        """What axe finds serious or critical: impact, rule and elements."""
        axe = script or files("axe_core_python") / "axe.min.js"
        self.run(axe.read_text())
        found = self.driver.execute_async_script(_AXE, within)
        return [one for one in found if one[0] in ("serious", "critical")]
