"""Compile the ``.proto`` files beside ``hooks/grpc_calls.py``; ``python -m tests.descriptors`` writes the results."""

from __future__ import annotations

import tempfile
from pathlib import Path

from grpc_tools import protoc

FOLDER = Path(__file__).parents[1] / "provider" / "model_lifecycle" / "hooks" / "descriptors"


def compiled(proto: Path) -> bytes:
    """The descriptor set of one file and of all that it imports from its folder."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        command = ["protoc", f"--proto_path={proto.parent}", "--include_imports", f"--descriptor_set_out={out}"]
        if protoc.main([*command, str(proto)]) != 0:
            raise RuntimeError(f"protoc refuses {proto}")
        return out.read_bytes()


if __name__ == "__main__":
    for each in sorted(FOLDER.glob("*.proto")):
        each.with_suffix(".binpb").write_bytes(compiled(each))
