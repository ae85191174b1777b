"""An archive as a server unpacks it, asked in the Python of that server."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

from model_lifecycle.hooks.model_archive import stage_archive
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from tests.servers.environments import environment

ASKER = Path(__file__).with_name("in_server.py")


def answers(
    place: Path, artifact: Path, signature: dict[str, Any], server: str, bodies: list[Any]
) -> list[tuple[int, dict[str, Any]]]:
    """Build the archive of an artifact, unpack it, and ask its handler; status and answer for each body."""
    work = place / uuid4().hex
    archives, unpacked = work / "archives", work / "unpacked"
    archives.mkdir(parents=True)
    store = local_store(work / "store")
    uri = store.publish(artifact, describe(artifact, "churn", signature=signature))
    with zipfile.ZipFile(stage_archive(archives, "churn", 3, uri, store)) as archive:
        archive.extractall(unpacked)
        handler = json.loads(archive.read("lifecycle.json"))["handler"]
    command = [environment(server) / "python", ASKER, handler, unpacked]
    lines = "".join(f"{json.dumps(body)}\n" for body in bodies)
    done = subprocess.run([str(part) for part in command], input=lines, capture_output=True, text=True, check=True)
    said = [line.removeprefix("ANSWER ") for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    return [tuple(json.loads(line)) for line in said]
