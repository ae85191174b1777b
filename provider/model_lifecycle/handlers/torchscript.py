"""TorchScript models: what ``torch.jit.save`` wrote, which holds no Python to run.

Columns of numbers make one tensor of two dimensions, as MLflow's ``pytorch`` flavour does it, of the type of the
model's own parameters; tensors of the signature are arguments in its order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from model_lifecycle.handlers.worker import Predict, Worker


def open_model(file: Path, specs: Sequence[Mapping[str, Any]], context: Any) -> Predict:
    """Load a model onto the device that the server gives this worker."""
    import torch

    gpu = context.system_properties.get("gpu_id")
    device = torch.device(f"cuda:{gpu}" if gpu is not None and torch.cuda.is_available() else "cpu")
    model = torch.jit.load(str(file), map_location=device)
    model.eval()
    types = [one.dtype for one in chain(model.parameters(), model.buffers()) if one.dtype.is_floating_point]
    stacked = types[0] if types else torch.float32

    def tensors(columns: Sequence[Sequence[Any]]) -> list[Any]:
        if specs[0]["type"] != "tensor":
            return [torch.tensor(list(zip(*columns)), dtype=stacked, device=device)]
        kinds = [getattr(torch, spec["tensor-spec"]["dtype"]) for spec in specs]
        return [torch.tensor(values, dtype=kind, device=device) for values, kind in zip(columns, kinds)]

    def predict(columns: Sequence[Sequence[Any]]) -> Sequence[tuple[str | None, Any]]:
        with torch.inference_mode():
            answer = model(*tensors(columns))
        if isinstance(answer, dict):
            return [(str(name), value.tolist()) for name, value in answer.items()]
        return [(None, value.tolist()) for value in (answer if isinstance(answer, (tuple, list)) else [answer])]

    return predict


handle = Worker(open_model)
