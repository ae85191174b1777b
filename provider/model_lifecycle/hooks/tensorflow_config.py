"""The one list of models that TensorFlow Serving is told, in a file that it can be started with.

The server replaces its whole list at every change and has no call that shows it. So the list lives in the file
``models.config`` of the model repository, in the text format of the server's own option ``--model_config_file``; each
change reads it, writes it and sends it, under a lock that all workers respect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from model_lifecycle.core.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from model_lifecycle.stores.disk import locked, replace_file

FILE = "models.config"
LOCK = ".models.config.lock"
PLATFORM = "tensorflow"


class ModelList:
    """The list of one server.

    :param repository: the folder that holds it, as the workers see it.
    :param base: the same folder as the server sees it.
    :param kind: the class of the message ``ModelServerConfig``.
    """

    def __init__(self, repository: Path, base: str, kind: type[Any]) -> None:
        self.path, self.base, self.kind = repository / FILE, base.rstrip("/"), kind

    @contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        """Keep every other worker from changing the list; they wait.

        :raises Unavailable: if others change it for so long.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path.with_name(LOCK), seconds))
            except TimeoutError as error:
                what, hint = "other workers change the list of models for too long", f"one of them holds {LOCK}"
                raise Unavailable(what, target=str(self.path), hint=hint) from error
            except OSError as error:
                raise self._untouchable(error) from error
            yield

    def read(self) -> Any:
        """The list as it stands.

        :raises NotFound: if there is no file: somebody has to say that this file is the server's.
        :raises Invalid: if it holds anything that could not be written back.
        """
        from google.protobuf import text_format

        try:
            text = self.path.read_text()
        except FileNotFoundError as error:
            hint = f"start the server with --model_config_file={self.base}/{FILE}; the file may be empty"
            raise NotFound(f"there is no list of models {self.path}", target=str(self.path), hint=hint) from error
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"cannot read {self.path}: {error}", target=str(self.path)) from error
        try:
            return text_format.Parse(text, self.kind())
        except text_format.ParseError as error:
            raise Invalid(f"{self.path} is not understood: {error}", target=str(self.path)) from error

    def write(self, config: Any) -> None:
        """Replace the list, all at once."""
        from google.protobuf import text_format

        try:
            # The modes of the old file hold: the server may be another user, whom its owner lets read.
            mode = self.path.stat().st_mode & 0o777
            replace_file(self.path, text_format.MessageToString(config), mode)
        except OSError as error:
            raise self._untouchable(error) from error

    def entry(self, config: Any, model: str, *, make: bool = False) -> Any:
        """The entry of one model that we may change, or None.

        :param make: add one if there is none.
        :raises Conflict: if somebody wrote it in another way than we do: by another policy, or from another folder.
        """
        listed = config.model_config_list.config
        found = next((one for one in listed if one.name == model), None)
        if found is None:
            ours = {"name": model, "base_path": f"{self.base}/{model}", "model_platform": PLATFORM}
            return listed.add(**ours) if make else None
        if found.model_version_policy.WhichOneof("policy_choice") != "specific" or found.base_path != (
            f"{self.base}/{model}"
        ):
            hint = f"give it base_path {self.base}/{model} and a policy of specific versions, or another name"
            raise Conflict(f"{self.path} lists the model in a way of its own", model=model, hint=hint)
        return found

    def add(self, config: Any, model: str, version: int) -> None:
        """List one more version of a model."""
        specific = self.entry(config, model, make=True).model_version_policy.specific
        specific.versions[:] = sorted({*specific.versions, version})

    def remove(self, config: Any, model: str, version: int) -> None:
        """Take a version off the list, and the model with its last one.

        The server waits for ever for a model that is listed without versions.
        """
        specific = self.entry(config, model, make=True).model_version_policy.specific
        specific.versions[:] = [one for one in specific.versions if one != version]
        if not specific.versions:
            left = [one for one in config.model_config_list.config if one.name != model]
            del config.model_config_list.config[:]
            config.model_config_list.config.extend(left)

    def _untouchable(self, error: OSError) -> Denied | NotFound | Unavailable:
        if isinstance(error, FileNotFoundError):
            hint = "mount the server's model repository on the workers, or correct the extra repository"
            return NotFound(f"there is no model repository {self.path.parent} on this worker", hint=hint)
        kind = Denied if isinstance(error, PermissionError) else Unavailable
        return kind(f"cannot write {self.path}: {error.strerror}", target=str(self.path))
