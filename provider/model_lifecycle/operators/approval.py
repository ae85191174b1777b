"""Ask people before a version takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import uuid4

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict

from model_lifecycle.core.approval import APPROVED, EVIDENCE, REJECTED, Decision, Side, question
from model_lifecycle.core.errors import Conflict, NotFound, Rejected
from model_lifecycle.core.models import CHAMPION, Endpoint, ModelUri, ModelVersion
from model_lifecycle.core.release import following
from model_lifecycle.hooks.version_facts import version_metrics
from model_lifecycle.operators.base import ModelLifecycleOperator, actor
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.triggers.answer import PAUSE, AnswerTrigger

try:
    from airflow.sdk.exceptions import TaskAwaitingInput
except ImportError:  # before Airflow 3.3 a trigger waits, which looks every five seconds
    TaskAwaitingInput = None  # type: ignore[assignment, misc]
PARKS: bool = TaskAwaitingInput is not None
_Parked: Any = TaskAwaitingInput if PARKS else ()

FIRST_LOOK, LOOK = timedelta(seconds=20), timedelta(minutes=10)
"""How long until the task looks by itself whether it was answered."""
TRIES = 3
"""How often, at least, a task is tried again that was failed for an answer that came too soon."""
APPROVAL_TAG = "model_lifecycle.approval"
ASKED = "asked"
"""In the task's state: its tries when it asked, which only clearing the task changes."""


class ModelApprovalOperator(ModelLifecycleOperator, ApprovalOperator):
    """Show the evidence, and wait for a person; rejection, and the deadline, skip what comes after.

    The wait holds neither worker nor triggerer on Airflow 3.3 and locks nothing: a rollback works meanwhile.

    Airflow 3.3 fails a task that is answered before the scheduler has noticed that its worker has left. Such a task is
    tried again, finds the answer that was given, and goes on without asking twice. On a machine that is very busy the
    same can happen to that try, so ``retries`` is at least 3 here, and each waits ten seconds longer for the scheduler.
    On a database without row locks an answer in that moment can also be overlooked: the task looks by itself after 20
    seconds, and every ten minutes.

    :param model_uri: the candidate.
    :param serving_conn_id: where it shall serve; with it, the decision goes into that endpoint's ledger too.
    :param subject: the question, above the evidence.
    :param approvers: who may answer, by user id; by default everybody who may answer in this DAG.
    :param four_eyes: an approval by the user who triggered the run is a rejection.
    :param deadline: nobody's answer until then is a rejection.
    :returns: the decision as JSON, also under the XCom key ``decision``.
    """

    template_fields: Sequence[str] = (
        *ModelLifecycleOperator.template_fields,
        "model_uri",
        "serving_conn_id",
        "subject",
    )

    def __init__(
        self,
        *,
        model_uri: str,
        serving_conn_id: str | None = None,
        subject: str = "Shall this version take over?",
        approvers: Sequence[str] = (),
        four_eyes: bool = False,
        deadline: timedelta = timedelta(days=1),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_delay", timedelta(seconds=5))
        super().__init__(
            subject=subject,
            defaults=None if PARKS else self.REJECT,
            assigned_users=[{"id": one, "name": one} for one in approvers] or None,
            params=_form(kwargs.pop("params", None)),
            response_timeout=min(FIRST_LOOK, deadline) if PARKS else deadline,
            **kwargs,
        )
        self.model_uri = model_uri
        self.serving_conn_id = serving_conn_id
        self.approvers = approvers
        self.four_eyes = four_eyes
        self.deadline = deadline
        self.retries = max(self.retries or 0, TRIES)

    def perform(self, context: Context, **resumed: Any) -> Any:
        """Ask, unless this task has asked before: asking again would wipe an answer out, so look for that first.

        Airflow may also run the same try twice, if an answer came before its scheduler had seen the first one leave.
        """
        state, ti = _task_state(context), context["ti"]
        if state is not None and state.get(ASKED) == ti.max_tries:
            pause = PAUSE * max(1, (self.retries or 0) - ti.max_tries + ti.try_number - 1)
            self.defer(trigger=AnswerTrigger(str(ti.id), pause), method_name="found")
        return self._ask(context)

    def found(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Go on with the answer of an earlier try, or ask now."""
        if event.get("chosen_options"):
            self.log.info("This was answered already, while the task changed hands")
            return self.execute_complete(context, dict(event))
        return self._failing(lambda: self._ask(context))

    def execute_complete(self, context: Context, event: dict[str, Any], asked_at: str | None = None) -> Any:
        """Write the decision down, then let what follows run or not."""
        if event.get("error_type") == "timeout" and asked_at:
            left = datetime.fromisoformat(asked_at) + self.deadline - datetime.now(UTC)
            if left > timedelta():
                self._park(asked_at, min(LOOK, left))
            event = {"chosen_options": [self.REJECT], "params_input": {}, "responded_by_user": None}
            event["responded_at"] = datetime.now(UTC)
        if "error" in event:
            return super().execute_complete(context, event)
        decision = self._decision(context, event)
        self._failing(lambda: self._record(context, decision))
        self.log.info("%s", decision.sentence())
        self._result = decision.to_dict()
        context["ti"].xcom_push(key="decision", value=self._result)
        chosen = self.APPROVE if decision.approved else self.REJECT
        super().execute_complete(context, {**event, "chosen_options": [chosen]})
        return self._result

    def _failing(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except Rejected as error:
            raise AirflowFailException(str(error)) from error

    def _ask(self, context: Context) -> Any:
        registry = self.model_registry()
        candidate = registry.get(ModelUri.parse(self.model_uri))
        self._result = {"version": candidate.version}  # for the buttons, while it waits
        champion = self._champion(candidate)
        self.body = question(self._side(candidate), self._side(champion) if champion else None, self._notes(context))
        try:
            return ApprovalOperator.execute(self, context)
        except _Parked:
            state = _task_state(context)
            if state is not None:
                state.set(ASKED, context["ti"].max_tries)
            self._park(datetime.now(UTC).isoformat(), min(FIRST_LOOK, self.deadline))

    def _park(self, asked_at: str, timeout: timedelta) -> NoReturn:
        """Wait for the answer; asking again would wipe out one that has come meanwhile."""
        raise TaskAwaitingInput(method_name="execute_complete", kwargs={"asked_at": asked_at}, timeout=timeout)

    def _side(self, version: ModelVersion) -> Side:
        manifest = self.model_store().read_manifest(version.artifact_uri)
        return Side(version, manifest, version_metrics(self.model_registry(), version))

    def _champion(self, candidate: ModelVersion) -> ModelVersion | None:
        try:
            return self.model_registry().get(ModelUri(candidate.name, alias=CHAMPION))
        except NotFound:
            return None

    def _notes(self, context: Context) -> list[str]:
        notes = [f"Without an answer for {self.deadline} it is rejected."]
        asker = _triggered_by(context)
        if self.four_eyes:
            notes.append(f"{asker or 'Nobody'} triggered this run" + (" and cannot approve it." if asker else "."))
        return notes

    def _decision(self, context: Context, event: Mapping[str, Any]) -> Decision:
        version = self.model_registry().get(ModelUri.parse(self.model_uri)).version
        user = event.get("responded_by_user") or {}
        by = user.get("name") or user.get("id")
        reason = str((event.get("params_input") or {}).get("reason") or "")[:1000]
        approved = list(event["chosen_options"]) == [self.APPROVE]
        if approved and self.four_eyes and _triggered_by(context) in {user.get("name"), user.get("id")}:
            approved, reason = False, f"{by} triggered this run and cannot approve it. {reason}".rstrip()
        return Decision(approved, version, by, _moment(event.get("responded_at")), reason)

    def _record(self, context: Context, decision: Decision) -> None:
        uri = ModelUri(ModelUri.parse(self.model_uri).name, version=decision.version)
        self.model_registry().set_tags(uri.name, decision.version, {APPROVAL_TAG: decision.sentence()})
        if self.serving_conn_id:
            self._write(Ledger(self.model_store(), Endpoint(self.serving_conn_id, uri.name)), context, decision)

    def _write(self, ledger: Ledger, context: Context, decision: Decision) -> None:
        """Add the decision to the ledger's end, once; a release under way owns the ledger and is not disturbed."""
        newest = ledger.newest()
        if newest is None or not newest.state.terminal:
            self.log.warning(
                "The decision stands on the version only: %s", "no release" if newest is None else newest.id
            )
            return
        evidence = {EVIDENCE: decision.to_dict()}
        if newest.last.evidence.get(EVIDENCE) == evidence[EVIDENCE]:
            return
        mark = APPROVED if decision.approved else REJECTED
        who = {**actor(context), "user": decision.by or "nobody"}
        entry = following(
            newest.last, newest.state, datetime.now(UTC), uuid4().hex[:12], mark=mark, actor=who, evidence=evidence
        )
        try:
            ledger.append(entry)
        except Conflict:
            self._write(ledger, context, decision)


def _form(given: ParamsDict | None) -> ParamsDict:
    """The fields of the form beside the buttons; before Airflow 3.2 a parameter has no source."""
    own: dict[str, Any] = {"source": "task"} if hasattr(ParamsDict, "filter_params_by_source") else {}
    params = given if isinstance(given, ParamsDict) else ParamsDict(given or {})
    params["reason"] = Param("", type="string", title="Reason", description="For the ledger and MLflow", **own)
    return params


def _task_state(context: Context) -> Any:
    """What survives the tries of a task, or None before Airflow 3.3."""
    return context.get("task_state_store")


def _triggered_by(context: Context) -> str | None:
    return getattr(context.get("dag_run"), "triggering_user_name", None)


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else datetime.now(UTC)
