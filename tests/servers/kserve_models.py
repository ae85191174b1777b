"""A model server of the KServe SDK with MLflow models; runs in KServe's environment, started by ``kserve.py``.

A model repository of one's own is how KServe's server loads a model while it runs. This one finds a model in the folder
of its name.
"""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import mlflow.pyfunc
import pandas as pd
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelRepository, ModelServer


class MlflowModel(Model):
    """One folder that MLflow saved."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder = folder

    def load(self) -> bool:
        self.loaded = mlflow.pyfunc.load_model(str(self.folder))
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest, headers: dict[str, str] | None = None) -> InferResponse:
        rows = pd.DataFrame({tensor.name: tensor.data for tensor in payload.inputs})
        sums = [float(value) for value in self.loaded.predict(rows)]
        return InferResponse(payload.id or str(uuid4()), self.name, [InferOutput("sum", [len(sums)], "FP64", sums)])


class MlflowModels(ModelRepository):
    """The folders and links of a repository; what begins with a dot is not for servers."""

    def load(self, name: str) -> bool:
        model = MlflowModel(name, Path(self.models_dir) / name)
        model.load()
        self.update(model)
        return model.ready

    def load_model(self, name: str) -> bool:
        return name.startswith(".") or self.load(name)


if __name__ == "__main__":
    models = MlflowModels(sys.argv[1])
    models.load_models()
    ModelServer(registered_models=models, http_port=int(sys.argv[2]), grpc_port=int(sys.argv[3])).start([])
