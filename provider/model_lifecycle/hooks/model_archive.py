"""Model archives (``.mar``) as TorchServe and multi-model-server load them, built from an artifact of a model store.

An archive is a zip of the artifact's files under ``artifact/``, of the handler that serves them (our own, so nothing
that the artifact brings is run as Python), and of ``lifecycle.json``, which says what it was made from. The same
artifact always makes the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from secrets import token_hex
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Untrusted
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME, STAGING_PREFIX, check_name
from model_lifecycle.handlers.worker import PAPERS
from model_lifecycle.hooks.staging import sweep, translated
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.disk import sync_folder
from model_lifecycle.stores.folder import mlmodel, signature_of

NUMBERS = {"double", "float", "long", "integer", "boolean"}
_SHIPPED = ("__init__.py", "handlers/__init__.py", "handlers/columns.py", "handlers/worker.py")
_NO_ZIP = (BadZipFile, EOFError, RuntimeError)
"""What zipfile raises for files that are damaged, cut, encrypted, or of a version that it does not know."""
_HINT = "save the model as TorchScript (torch.jit.script, then mlflow.pytorch or model.pt) or as ONNX"


@dataclass(frozen=True)
class Served:
    """What is served of an artifact: one file, by one of our handlers, called after one signature."""

    handler: str
    file: str
    signature: Mapping[str, Any]


def archive_name(model: str, version: int) -> str:
    """The file name of a version's archive; two versions never share one, for a version holds no dash."""
    return f"{check_name(model, 'model name')}-{version}.mar"


def stage_archive(archives: Path, model: str, version: int, artifact_uri: str, store: ModelStore) -> Path:
    """Put ``<model>-<version>.mar`` into the folder from which the server loads, whole or not at all.

    An archive that is there already is proven byte by byte; it is replaced only to bring a newer handler of ours.

    :raises Conflict: if the archive of another artifact, or a changed one, lies there.
    :raises Invalid: if our handlers cannot serve the artifact.
    :raises Untrusted: if it could be served only by running what it brings.
    :raises NotFound: if the folder, or the artifact, does not exist.
    """
    target = archives / archive_name(model, version)
    if not archives.is_dir():
        hint = "mount the server's model store on the workers, or correct the connection's extra archives"
        raise NotFound(f"there is no folder {archives} on this worker", target=str(archives), hint=hint)
    staging = archives / f"{STAGING_PREFIX}{version}-{token_hex(8)}"
    try:
        sweep(archives)
        staging.mkdir()
        # Also if an archive is there: what may be loaded is asked of the trust policy of today.
        manifest = store.fetch(artifact_uri, staging / "artifact")
        if not (target.exists() and _is_proven(target, manifest, version)):
            _publish(_build(staging, version, manifest), target, manifest, version)
    except OSError as error:
        raise translated(error, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def write_archive(target: Path, model: str, version: str, source: str) -> None:
    """Write an archive that holds nothing but a handler."""
    part = target.with_name(f"{STAGING_PREFIX}{token_hex(8)}")
    with ZipFile(part, "w") as archive:
        for name, data in {"handler.py": source, **_label(model, version, "handler.py")}.items():
            archive.writestr(ZipInfo(name), data)
    part.replace(target)


def served(folder: Path, manifest: Manifest) -> Served:
    """Find out what of an artifact can be served, without loading it.

    :raises Invalid: if there is nothing, or no signature that says what to ask.
    :raises Untrusted: if it is a pickle.
    """
    flavors = (mlmodel(folder) or {}).get("flavors") or {}
    listed = {entry.path for entry in manifest.files}
    torch, onnx = _told_by(flavors, "pytorch", "model_data"), _told_by(flavors, "onnx", "data")
    script, graph = f"{torch}/model.pth" if torch else "model.pt", onnx or "model.onnx"
    if script in listed:
        _check_script(folder / script, manifest.model)
        return Served("torchscript", script, _signature(folder, manifest, NUMBERS))
    if graph in listed:
        return Served("onnx", graph, _signature(folder, manifest, {*NUMBERS, "string"}))
    raise Invalid("the artifact holds neither a TorchScript nor an ONNX model", model=manifest.model, hint=_HINT)


def _told_by(flavors: Any, flavor: str, key: str) -> str | None:
    found = flavors.get(flavor) if isinstance(flavors, Mapping) else None
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else None


def _check_script(file: Path, model: str) -> None:
    """TorchScript is a zip with its own code beside the tensors; what lacks it, ``torch.load`` would unpickle."""
    try:
        with ZipFile(file) as archive:
            names = archive.namelist()
    except _NO_ZIP:
        names = []
    if not any(name.endswith("/constants.pkl") for name in names) or not any("/code/" in name for name in names):
        raise Untrusted(f"{file.name} is no TorchScript but a pickle of Python objects", model=model, hint=_HINT)


def _signature(folder: Path, manifest: Manifest, known: set[str]) -> Mapping[str, Any]:
    found = manifest.signature or signature_of(folder) or {}
    inputs = found.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        hint = "record one: infer_signature in MLflow, or the argument signature when it is registered"
        raise Invalid("the artifact has no signature, so nobody knows what to ask", model=manifest.model, hint=hint)
    kinds = {spec.get("type") for spec in inputs}
    if kinds != {"tensor"}:
        for spec in inputs:
            if spec.get("type") not in known or not spec.get("name"):
                text = f"column {spec.get('name')} of type {spec.get('type')} cannot be served from this model"
                raise Invalid(text, model=manifest.model, hint=f"named columns of {', '.join(sorted(known))} can")
    return {"inputs": inputs, "outputs": found.get("outputs")}


def _build(staging: Path, version: int, manifest: Manifest) -> Path:
    folder, part = staging / "artifact", staging / "archive"
    chosen = served(folder, manifest)
    with ZipFile(part, "w") as archive:
        for name, data in _frame(chosen, manifest, version).items():
            archive.writestr(ZipInfo(name), data)
        for entry in (*(entry.path for entry in manifest.files), MANIFEST_NAME):
            info = ZipInfo(f"artifact/{entry}")
            info.file_size = (folder / entry).stat().st_size
            with (folder / entry).open("rb") as source, archive.open(info, "w") as out:
                shutil.copyfileobj(source, out, 2**20)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    return part


def _publish(part: Path, target: Path, manifest: Manifest, version: int) -> None:
    """Of several workers one is the first; the others find its archive right, or put a newer handler in its place."""
    try:
        target.hardlink_to(part)
    except FileExistsError:
        if not _is_proven(target, manifest, version):
            part.replace(target)
    sync_folder(target.parent)


def _frame(chosen: Served, manifest: Manifest, version: int) -> dict[str, str]:
    handler = f"lifecycle_{chosen.handler}.py"
    papers = {
        "artifact": manifest.digest,
        "model": manifest.model,
        "version": str(version),
        "handler": chosen.handler,
        "file": f"artifact/{chosen.file}",
        "signature": chosen.signature,
    }
    return {**_label(manifest.model, str(version), handler), **_code(chosen.handler), PAPERS: _json(papers)}


def _label(model: str, version: str, handler: str) -> dict[str, str]:
    value = {
        "runtime": "python",
        "model": {"modelName": model, "modelVersion": version, "handler": handler},
        "archiverVersion": "0.12.0",
        "modelServerVersion": "1.0",
        "implementationVersion": "1.0",
        "specificationVersion": "1.0",
    }
    return {"MAR-INF/MANIFEST.json": _json(value)}


def _code(handler: str) -> dict[str, str]:
    """Our own modules, and the handler itself at the top, where both servers look for it."""
    package = files("model_lifecycle")
    shipped = {f"model_lifecycle/{name}": package.joinpath(name).read_text() for name in _SHIPPED}
    return {**shipped, f"lifecycle_{handler}.py": package.joinpath(f"handlers/{handler}.py").read_text()}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1)


def _is_proven(target: Path, manifest: Manifest, version: int) -> bool:
    """Whether an archive of this artifact has our newest handler too.

    :raises Conflict: if it is not of this artifact, to the last byte.
    """
    try:
        with ZipFile(target) as archive:
            if any(one.compress_type != ZIP_STORED for one in archive.infolist()):
                raise ValueError("it is packed in another way than ours")
            papers = json.loads(archive.read(PAPERS))
            _prove(archive, papers, manifest)
            code, names = _code(papers["handler"]), set(archive.namelist())
            return all(name in names and archive.read(name) == text.encode() for name, text in code.items())
    except (*_NO_ZIP, KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise Conflict(
            f"another artifact, or a changed one, lies at {target}: {error}",
            model=manifest.model,
            version=version,
            hint="a version never changes; if nothing serves from that file, remove it",
        ) from error


def _prove(archive: ZipFile, papers: Any, manifest: Manifest) -> None:
    if papers["artifact"] != manifest.digest:
        raise ValueError(f"it was made from the artifact {papers['artifact']}")
    for entry in manifest.files:
        found = sha256()
        with archive.open(f"artifact/{entry.path}") as source:
            while block := source.read(2**20):
                found.update(block)
        if found.hexdigest() != entry.sha256:
            raise ValueError(f"{entry.path} is not as the manifest says")
