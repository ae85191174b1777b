"""One event of a model as people read it: what happened, to whom, why, and where to look; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

SHOWN = 5
"""How many answers of checks, and columns that drifted, a text names."""
_ENDS = {
    "deploy": "version {version} serves on {endpoint}",
    "promote": "version {version} is the champion of {endpoint}",
    "rollback": "rolled back to version {serving_version} on {endpoint}",
}


@dataclass(frozen=True)
class ModelEvent:
    """What a task's end means to people.

    :ivar kind: ``release``, ``promotion``, ``rollback``, ``drift``, ``verdict``, ``approval``, ``done`` or ``failure``.
    :ivar title: one line, fit for a subject.
    :ivar lines: what more there is to tell.
    """

    kind: str
    title: str
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Title and lines, for a chat."""
        return "\n".join((self.title, *self.lines))

    @property
    def html(self) -> str:
        """The same for an e-mail: escaped, for names and reasons are others' words."""
        return f"<p><b>{escape(self.title)}</b></p><p>" + "<br>".join(map(escape, self.lines)) + "</p>"


def event_of(result: Any, error: BaseException | str | None = None, question: str | None = None) -> ModelEvent:
    """The event that a task's result is, or its failure, or the question that it asks.

    :param result: what the operator returned.
    :param error: why it failed, if it did.
    :param question: the subject of an approval that is waited for.
    """
    if error is not None:
        return ModelEvent("failure", _line(error) or "a task failed")
    if isinstance(result, Mapping):
        for known, told in (("release", _release), ("chosen_options", _answer), ("verdict", _verdict)):
            if known in result:
                return told(result)
    if question:
        return ModelEvent("approval", f"approval is asked for: {_line(question)}")
    return ModelEvent("done", _line(result) if isinstance(result, str) else "done")


def _release(result: Mapping[str, Any]) -> ModelEvent:
    change, state = str(result.get("change")), str(result.get("state"))
    kind = {"deploy": "release", "promote": "promotion"}.get(change, "rollback")
    kind = "rollback" if state.startswith("ROLL") else kind
    known = {name: result.get(name) for name in ("version", "endpoint", "serving_version")}
    title = _ENDS.get("rollback" if kind == "rollback" else change, "{endpoint} changed").format(**known)
    if state not in ("SUCCEEDED", "ROLLED_BACK"):
        title = f"release of version {known['version']} on {known['endpoint']} is {state}"
    abandons = result.get("abandons")
    lines = [f"left: version {abandons}" if abandons else "", _named("why", result.get("reason"))]
    return ModelEvent(kind, _line(title), _told([*lines, f"release {result['release']}, {state}"]))


def _verdict(result: Mapping[str, Any]) -> ModelEvent:
    verdict, drifted = str(result["verdict"]), [str(one) for one in _listed(result.get("drifted"))]
    about = result.get("endpoint") or result.get("candidate") or result.get("profile") or "the model"
    kind = "drift" if "drifted" in result else "verdict"
    answers = [one for one in _listed(result.get("measurements")) if isinstance(one, Mapping)]
    bad = [one for one in answers if one.get("verdict") != "PASS"]
    lines = [_named("why", result.get("reason"))]
    lines += [f"{_name(one)}: {one.get('verdict')} {one.get('reason') or ''}" for one in bad[:SHOWN]]
    lines += [f"and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
    lines += [f"drifted: {', '.join(drifted[:SHOWN])}" + (" ..." if len(drifted) > SHOWN else "")] if drifted else []
    lines += [_named("compared with", result.get("champion"))]
    what = "drift of" if kind == "drift" else "verdict on"
    return ModelEvent(kind, _line(f"{what} {about}: {verdict}"), _told(lines))


def _answer(result: Mapping[str, Any]) -> ModelEvent:
    who = result.get("responded_by_user")
    name = who.get("name") or who.get("id") if isinstance(who, Mapping) else who
    chosen = ", ".join(str(one) for one in _listed(result["chosen_options"]))
    given = result.get("params_input")
    reason = given.get("reason") if isinstance(given, Mapping) else None
    decided = f"{name} has answered: {chosen}" if name else f"nobody has answered in time: {chosen}"
    return ModelEvent("approval", _line(decided), _told([_named("why", reason)]))


def _name(answer: Mapping[str, Any]) -> str:
    return str(answer.get("name") or answer.get("metric") or answer.get("check") or "check")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else []


def _named(name: str, value: Any) -> str:
    return f"{name}: {value}" if value else ""


def _told(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(_line(line) for line in lines if line.strip())


def _line(text: object) -> str:
    """One printable line of at most 500 characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    return line if len(line) <= 500 else f"{line[:497]}..."
