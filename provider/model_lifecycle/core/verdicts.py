"""What a function of a DAG's author may answer when it is asked for a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_lifecycle.core.checks import Measurement, Verdict, report
from model_lifecycle.core.errors import Invalid


def verdict_report(answer: Any, name: str) -> dict[str, Any]:
    """The answer as a report, JSON values: a verdict, a yes or no, measurements, or a report already.

    :param name: of the check, where the answer has none.
    :raises Invalid: if it is anything else; nothing at all is NO_DATA, which is no PASS (Law 6).
    """
    if isinstance(answer, Mapping):
        return {**answer, "verdict": str(_verdict(answer.get("verdict")))}
    if isinstance(answer, Measurement):
        return report([answer])
    if isinstance(answer, Sequence) and not isinstance(answer, str) and answer:
        if all(isinstance(one, Measurement) for one in answer):
            return report(answer)
        raise Invalid("a list that a gate returns holds measurements", hint="return PASS or FAIL, or a report")
    if answer is None or answer == []:
        return report([Measurement(name, Verdict.NO_DATA, reason="the function returned nothing")])
    if isinstance(answer, bool):
        answer = Verdict.PASS if answer else Verdict.FAIL
    return report([Measurement(name, _verdict(answer), reason=f"the function returned {answer}")])


def _verdict(word: Any) -> Verdict:
    try:
        return Verdict(word)
    except ValueError as error:
        known = ", ".join(Verdict)
        raise Invalid(f"{ascii(word)[:100]} is no verdict", hint=f"return one of {known}, or true or false") from error
