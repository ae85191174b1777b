"""Where TensorFlow Serving finds a version: ``<repository>/<model>/<number>/saved_model.pb``, and nothing else there.

An artifact is more than that: a manifest, MLflow's files around the SavedModel. So the proven artifact lies in a folder
that no model can be named after, and the version is a relative link to the SavedModel in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.hooks.staging import translated

ARTIFACTS = "_artifacts"
SAVED_MODEL = "saved_model.pb"


def saved_model_of(manifest: Manifest) -> str:
    """The folder of an artifact's one SavedModel, empty for the artifact itself.

    :raises Invalid: if it holds none, or several of which none lies at the top.
    """
    found = [entry.path for entry in manifest.files if f"/{entry.path}".endswith(f"/{SAVED_MODEL}")]
    if SAVED_MODEL in found:
        return ""
    if len(found) != 1:
        what = f"several SavedModels: {', '.join(found)}" if found else "no SavedModel"
        hint = "export the model with tf.saved_model.save, or model.export of Keras 3"
        raise Invalid(f"the artifact holds {what}", model=manifest.model, hint=hint)
    return found[0].removesuffix(f"/{SAVED_MODEL}")


def artifacts_in(repository: Path) -> Path:
    """The folder of the artifacts, made if the repository exists.

    :raises NotFound: if there is no repository on this worker.
    """
    folder = repository / ARTIFACTS
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        hint = "mount the server's model repository on the workers, or correct the connection's extra repository"
        raise NotFound(f"there is no model repository {repository} on this worker", hint=hint) from error
    except OSError as error:
        raise translated(error, folder) from error
    return folder


def link(repository: Path, model: str, version: int, inner: str) -> None:
    """Make the version a link to the SavedModel of its artifact; of several workers one makes it.

    :raises Conflict: if something else lies there.
    """
    place = repository / model / str(version)
    wanted = os.path.join("..", ARTIFACTS, model, str(version), inner).rstrip("/")
    try:
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(wanted)
    except FileExistsError as error:
        if not place.is_symlink() or os.readlink(place) != wanted:
            hint = "a version never changes; if nothing serves from there, remove it"
            raise Conflict(f"something else lies at {place}", model=model, version=version, hint=hint) from error
    except OSError as error:
        raise translated(error, place) from error


def is_staged(repository: Path, model: str, version: int) -> bool:
    """Whether a SavedModel lies where the server looks for the version."""
    return (repository / model / str(version) / SAVED_MODEL).is_file()
