"""The callers of the endpoint, whom the example plays itself: one flight a request, each under an id of its own.

Nothing of this is needed where there are callers. They send an id with each request, the server's log keeps it, and
whoever learns how a flight ended writes that id and the label into a table.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flights.data import TARGET, YEAR
from flights.settings import ENDPOINT, MODEL, SCORER
from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound
from model_lifecycle.core.prediction_log import AT, ENDING, hour_folders
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.open_inference_rest import model_path
from model_lifecycle.hooks.routed import RoutedServing
from model_lifecycle.hooks.serving import ServingHook, serving_hook
from model_lifecycle.hooks.session import ConnectionSession, url_path

if TYPE_CHECKING:
    import pandas as pd

SAMPLE, THREADS = 1000, 4
LANDED = 0.85
"""Of the month's flights so many have landed by the time the monitor looks; no label has come of the last ones."""

ENOUGH = 20
"""After so many failures nobody asks any more."""


class Callers:
    """They send requests as clients do who know nothing of versions, through the router if there is one.

    :ivar answered: how many requests were.
    :ivar errors: what was wrong with the others.
    """

    def __init__(self, serving: ServingHook, model: str) -> None:
        self.server, self.session, self.path = _front(serving, model)
        self.model = model
        self.answered = 0
        self.errors: list[str] = []

    def ask(self, table: pd.DataFrame) -> None:
        """Ask about each row under the id that is its index."""
        rows = zip(table.index, table.to_dict("records"), strict=True)
        with ThreadPoolExecutor(THREADS) as threads:
            self.answered += sum(threads.map(lambda one: self._one(*one), rows))

    def _one(self, request_id: str, row: dict[str, Any]) -> bool:
        """Whether it was answered; nobody asks any more once enough has gone wrong."""
        if len(self.errors) >= ENOUGH:
            return False
        columns = {name: [None if value != value else value] for name, value in row.items()}
        try:
            self.server.ask(self.session, self.path, self.model, columns, {"x-request-id": request_id})
        except ModelLifecycleError as error:
            self.errors.append(str(error))
            return False
        return True


def ask_about(month: int, file: str, labels: Path) -> dict[str, Any]:
    """Ask the live endpoint about flights of a month, evenly spaced, and write down the labels that have come.

    :returns: the version that serves, the window of time in which it was asked, how many requests were answered, what
        was wrong with the endpoint if anything was, and the file of labels.
    :raises NotFound: if nothing serves.
    """
    import pandas as pd

    table = pd.read_parquet(file)
    table = table.iloc[:: max(1, len(table) // SAMPLE)]
    table.index = pd.Index([f"{YEAR}-{month:02}-{number:06}" for number in table.index], name="request_id")
    serving = serving_hook(SCORER)
    traffic = serving.traffic(MODEL)
    if not traffic:
        raise NotFound("nothing serves on this endpoint", target=ENDPOINT, hint="deploy a version first")
    version = max(traffic, key=lambda one: traffic[one])
    callers, start = Callers(serving, MODEL), datetime.now(UTC)
    callers.ask(table.drop(columns=TARGET))
    end = datetime.now(UTC) + timedelta(seconds=1)
    failed, errors = len(callers.errors), "; ".join(dict.fromkeys(callers.errors[:3]))
    return {
        "model_uri": f"models:/{MODEL}/{version}",
        "window": [start.isoformat(), end.isoformat()],
        "answered": callers.answered,
        "sick": f"{failed} of {failed + callers.answered} requests failed: {errors}" if failed else "",
        "labels": _labels(table, labels / f"flights-{YEAR}-{month:02}.parquet"),
    }


def logged_hours(asked: dict[str, Any], root: str, patience: float = 90) -> list[str]:
    """Patterns of the log's files in each hour of the window, once every answer is there.

    :param root: where the log lies.
    :param patience: seconds after which what is there must do: a log may lose answers.
    """
    from model_lifecycle.operators.logged import LoggedPredictions

    start, end = (datetime.fromisoformat(moment) for moment in asked["window"])
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if len(LoggedPredictions(root, MODEL, start, end, []).columns[AT]) >= asked["answered"]:
            break
        time.sleep(2)
    return [f"{root.rstrip('/')}/{folder}/*{ENDING}" for folder in hour_folders(MODEL, start, end)]


def _front(serving: ServingHook, model: str) -> tuple[OpenInferenceHook, ConnectionSession, str]:
    """Who puts a request into words, and where callers send it."""
    server = serving.backend if isinstance(serving, RoutedServing) else serving
    if not isinstance(server, OpenInferenceHook):
        raise Invalid(f"{SCORER} does not speak the Open Inference Protocol", hint="these callers speak no other")
    if isinstance(serving, RoutedServing):
        return server, serving.router.session, url_path(model)
    return server, server.session, model_path(model) + "/infer"


def _labels(table: pd.DataFrame, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.head(int(len(table) * LANDED)).reset_index()[["request_id", TARGET]].to_parquet(path, index=False)
    return str(path)
