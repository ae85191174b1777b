"""Inspect artifacts in a process of their own, under an audit hook that cannot be removed.

``python -m tests.trust.watch <file>``: reads a list of ``[name, folder, policy]`` as JSON. Writes for each what came of
it, what was run, imported or opened for writing meanwhile, and the most memory the process has had until then, in KiB.
"""

from __future__ import annotations

import codecs
import json
import sys
import tempfile
from pathlib import Path

from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.trust import inspect

FORBIDDEN = (
    "exec", "compile", "import", "pickle.find_class", "marshal.", "code.__new__", "os.system", "os.exec", "os.fork",
    "os.posix_spawn", "os.spawn", "subprocess.", "ctypes.", "socket.", "urllib.", "builtins.breakpoint", "pty.",
    "shutil.", "os.rename", "os.symlink", "os.link", "os.chmod", "os.mkdir",
)  # fmt: skip

TEMPORARY = tempfile.gettempdir()

seen: list[str] = []
watching: list[bool] = []


def hook(event: str, args: tuple[object, ...]) -> None:
    if not watching:
        return
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    unnamed = isinstance(args[0] if args else 0, int) or args[0] == TEMPORARY  # no file has a name
    if event.startswith(FORBIDDEN) or (writes and not unnamed):
        seen.append(f"{event} {args[:2]!r}"[:200])


def peak() -> int:
    """The most memory this process has had, in KiB; ``ru_maxrss`` would tell its parent's."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def main(listed: Path) -> None:
    sys.addaudithook(hook)
    results = {}
    for name, folder, words in json.loads(listed.read_text()):
        path, policy = Path(folder), TrustPolicy.parse(words)
        manifest = describe(path, "model")
        seen.clear()
        watching.append(True)
        try:
            inspect(path, manifest, policy)
            outcome = None
        except ModelLifecycleError as error:
            outcome = [type(error).__name__, str(error)]
        finally:
            watching.clear()
        results[f"{name} | {words}"] = {"outcome": outcome, "seen": list(seen), "memory": peak()}
    listed.with_suffix(".results").write_text(json.dumps(results))


if __name__ == "__main__":
    # What the standard library imports only when it is first used, imported before anybody watches.
    for codec in ("raw-unicode-escape", "utf-8-sig", "latin-1", "ascii"):
        codecs.lookup(codec)
    main(Path(sys.argv[1]))
