"""MLflow as the model registry, over its documented REST API 2.0.

``MlflowClient`` is not used: it takes credentials and time-outs only from ``os.environ``, where every task of the
process can read them (Laws 9 and 10). Importing it costs 1.5 s and 160 MB in every worker, and the package pins what
Airflow's own environment pins differently.

What MLflow 3.17 does, observed: creating a version is not idempotent; version numbers rise and are never used twice,
also after a deletion; a search leaves out the aliases; an alias that does not exist is INVALID_PARAMETER_VALUE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from model_lifecycle.core.errors import Conflict, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.manifest import is_digest
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.core.names import check_name, check_path
from model_lifecycle.hooks.connected import Connected
from model_lifecycle.hooks.mlflow_answers import (
    MAX_TEXT,
    MAX_URI,
    error_code,
    filter_for,
    prove_search,
    same_artifact,
    source_of,
    tag_rows,
    translated,
    version_of,
)
from model_lifecycle.hooks.mlflow_files import page_path, run_for_files, upload_path
from model_lifecycle.hooks.mlflow_survey import MlflowSurvey
from model_lifecycle.hooks.registry import DIGEST_TAG
from model_lifecycle.hooks.session import ConnectionSession, url_path

API = "/api/2.0/mlflow"
PAGE = 1000
READY_SECONDS = 60
_RESERVED_ALIAS = re.compile(r"latest|v[0-9]+", re.IGNORECASE)


class MlflowHook(Connected, MlflowSurvey):
    """A registry behind one connection of type ``mlflow``.

    :param registry_conn_id: host, port, login and password, or a password alone as a bearer token; the extras are
        those of :mod:`model_lifecycle.hooks.session`.
    """

    conn_name_attr = "registry_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "mlflow"
    hook_name = "MLflow"

    def __init__(self, registry_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.registry_conn_id = registry_conn_id

    @cached_property
    def session(self) -> ConnectionSession:
        """Calls to the server that the connection names."""
        return ConnectionSession(self.connection)

    def get_conn(self) -> ConnectionSession:
        """The session, as other hooks call it."""
        return self.session

    def prove_connection(self) -> str:
        """Ask for one model, as the form's button does: it takes the way of every call, so it proves the login too."""
        asked = {"params": {"max_results": 1}, "retry": False, "errors": {404: Invalid, 405: Invalid}}
        prove_search(lambda: self._call("GET", "registered-models/search", **asked), self.session.target)
        return f"MLflow answers at {self.session.url}"

    def register(
        self,
        name: str,
        artifact_uri: str,
        digest: str,
        *,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        run_id: str | None = None,
        link: str | None = None,
    ) -> ModelVersion:
        """Return the version that has this digest, and create it (and the model) only if there is none.

        Registrars that race create one version each, then all see all of them: the lowest is the answer, and each
        deletes the one it has created in this very call, which nobody has been told of, unless it is the lowest.

        :raises Conflict: if the digest is registered with another artifact URI's path.
        """
        check_name(name, "model name")
        if not is_digest(digest):
            raise Invalid(f"{ascii(digest)[:100]} is not a manifest digest", model=name)
        if len(description or "") > MAX_TEXT:
            raise Invalid(f"the description is longer than {MAX_TEXT} characters", model=name)
        body = {
            "name": name,
            "source": source_of(artifact_uri),
            "tags": tag_rows({**(tags or {}), DIGEST_TAG: digest}),
            "description": description,
            "run_id": run_id,
            "run_link": link if link and len(link) <= MAX_URI else None,  # half a link is worse than none
        }
        found = self.get_by_digest(name, digest) or self._create(name, digest, body)
        return self._ready(same_artifact(found, artifact_uri))

    def get(self, uri: ModelUri) -> ModelVersion:
        """The version a model URI names.

        :raises NotFound: if there is no such model, version or alias.
        """
        check_name(uri.name, "model name")
        if uri.alias is None:
            path, params = "model-versions/get", {"name": uri.name, "version": str(uri.version)}
        else:
            check_name(uri.alias, "alias")
            path, params = "registered-models/alias", {"name": uri.name, "alias": uri.alias}
        try:
            return version_of(self._call("GET", path, params=params)["model_version"])
        except (NotFound, Invalid) as error:
            # The names have been checked: what MLflow calls an invalid parameter here is an alias that is not there.
            if error_code(error) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise NotFound(f"there is no {uri}", target=self.session.target, model=uri.name) from error
            raise

    def get_by_digest(self, name: str, digest: str) -> ModelVersion | None:
        """The lowest version with this manifest digest, or None."""
        found = self.search(name, {DIGEST_TAG: digest})
        return found[-1] if found else None

    def search(self, name: str, tags: Mapping[str, str] | None = None) -> Sequence[ModelVersion]:
        """All versions of a model with all these tags, newest first; empty if the model does not exist."""
        check_name(name, "model name")
        wanted = dict(tags or {})
        rows = {int(row["version"]): row for row in self._pages(filter_for(name, wanted))}
        aliases = self._aliases(name) if rows else {}
        found = [version_of(rows[number], aliases.get(number, ())) for number in sorted(rows, reverse=True)]
        # Once more here: what cannot be quoted is not in the filter, and some databases ignore the case of letters.
        return [one for one in found if one.name == name and wanted.items() <= one.tags.items()]

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version, and read it back; nothing happens if it does so already.

        :raises NotFound: if there is no such version.
        :raises Conflict: if another writer has moved it at the same moment.
        """
        check_name(name, "model name")
        if _RESERVED_ALIAS.fullmatch(check_name(alias, "alias")):
            raise Invalid(f"the alias {alias} is reserved by MLflow", model=name, hint="choose another name")
        if self._version_of(name, alias) == version:
            return
        self._call("POST", "registered-models/alias", json={"name": name, "alias": alias, "version": str(version)})
        self._expect_alias(name, alias, version)

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias, and read it back; nothing happens if it does not exist.

        :raises Conflict: if another writer has set it at the same moment.
        """
        check_name(name, "model name")
        check_name(alias, "alias")
        if self._version_of(name, alias) is None:
            return
        self._call("DELETE", "registered-models/alias", json={"name": name, "alias": alias})
        self._expect_alias(name, alias, None)

    def set_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags on a version, replacing equal keys.

        :raises Invalid: if one of them is the digest, which belongs to the registration alone.
        """
        check_name(name, "model name")
        if DIGEST_TAG in tags:
            raise Invalid(
                f"the tag {DIGEST_TAG} is the version's digest and never changes", model=name, version=version
            )
        for tag in tag_rows(tags):
            self._call("POST", "model-versions/set-tag", json={"name": name, "version": str(version), **tag})

    def version_url(self, name: str, version: int) -> str | None:
        """The page of a version in MLflow's UI."""
        return f"{self.session.url}/#{url_path('models', name, 'versions', version)}"

    def attach_file(self, name: str, version: int, path: str, data: bytes, content_type: str) -> str:
        """Keep a small file with a version, in place of one of the same path; returns the address of its page.

        It lies among the artifacts of a run, as :mod:`model_lifecycle.hooks.mlflow_files` tells.

        :raises Invalid: if the path is not allowed, or the server takes no files.
        """
        check_name(name, "model name")
        check_path(path)
        run = run_for_files(self._call, name, version)
        headers = {"Content-Type": content_type}
        try:
            self.session.call("PUT", upload_path(run, path), content=data, headers=headers)
        except ModelLifecycleError as error:
            raise translated(error) from error.__cause__
        return f"{self.session.url}{page_path(run, path)}"

    def _create(self, name: str, digest: str, body: Mapping[str, Any]) -> ModelVersion:
        with suppress(Conflict):  # the model exists
            self._call("POST", "registered-models/create", json={"name": name})
        try:
            # Never sent twice: the answer may have been lost after the version was made.
            made = version_of(self._call("POST", "model-versions/create", json=body, retry=False)["model_version"])
        except Unavailable:
            found = self.get_by_digest(name, digest)
            if found is None:
                raise
            return found
        return self._settle(made)

    def _settle(self, made: ModelVersion) -> ModelVersion:
        # A version is numbered after all that are visible, so every lower one of this digest is seen here, by all.
        others = self.search(made.name, {DIGEST_TAG: str(made.digest)})
        lowest = others[-1] if others else made
        ours = next((one for one in others if one.version == made.version), made)
        if lowest.version < made.version and not ours.aliases:
            self._delete(made)
        return lowest if lowest.version < made.version else made

    def _delete(self, made: ModelVersion) -> None:
        with suppress(NotFound):  # the answer to an earlier attempt was lost
            self._call("DELETE", "model-versions/delete", json={"name": made.name, "version": str(made.version)})

    def _ready(self, found: ModelVersion) -> ModelVersion:
        params = {"name": found.name, "version": str(found.version)}
        poll = Retrying(
            retry=retry_if_result(lambda row: row.get("status") == "PENDING_REGISTRATION"),
            stop=stop_after_delay(READY_SECONDS),
            wait=wait_exponential(multiplier=0.1, max=5),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
        )
        row = poll(lambda: self._call("GET", "model-versions/get", params=params)["model_version"])
        status, said = row.get("status", "READY"), row.get("status_message", "")
        if status == "READY":
            return version_of(row)
        kind = Unavailable if status == "PENDING_REGISTRATION" else Invalid
        raise kind(
            f"the version is {status} {said}".rstrip(),
            target=self.session.target,
            model=found.name,
            version=found.version,
        )

    def _pages(self, text: str) -> Iterator[Mapping[str, Any]]:
        # Oldest first: versions that are made meanwhile come last and shift nothing.
        params: dict[str, Any] = {"filter": text, "max_results": PAGE, "order_by": "version_number ASC"}
        seen: set[str] = set()
        while True:
            answer = self._call("GET", "model-versions/search", params=params)
            yield from answer.get("model_versions", [])
            token = answer.get("next_page_token")
            if not token or token in seen:
                return
            seen.add(token)
            params["page_token"] = token

    def _aliases(self, name: str) -> dict[int, tuple[str, ...]]:
        try:
            model = self._call("GET", "registered-models/get", params={"name": name})["registered_model"]
        except NotFound:
            return {}
        pairs = sorted((pair["alias"], int(pair["version"])) for pair in model.get("aliases", []))
        return {number: tuple(alias for alias, of in pairs if of == number) for _, number in pairs}

    def _version_of(self, name: str, alias: str) -> int | None:
        try:
            return self.get(ModelUri(name, alias=alias)).version
        except NotFound:
            return None

    def _expect_alias(self, name: str, alias: str, version: int | None) -> None:
        seen = self._version_of(name, alias)
        if seen != version:
            raise Conflict(
                f"the alias {alias} was set to {version or 'nothing'} and now names {seen or 'nothing'}",
                target=self.session.target,
                model=name,
                hint="somebody else moves it at the same time",
            )

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            answer = self.session.call(method, f"{API}/{path}", **kwargs).json()
        except ModelLifecycleError as error:
            raise translated(error) from error.__cause__
        if not isinstance(answer, dict):
            raise Invalid(f"{path}: the answer is no MLflow answer", target=self.session.target)
        return answer
