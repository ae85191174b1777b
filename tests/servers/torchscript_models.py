"""Written by the Python of TorchServe's environment: ``python torchscript_models.py <folder> <kind> <offset>``.

It makes ``<folder>/model.pt``, TorchScript of one of the kinds of the serving contract.
"""

import sys
import zipfile
from pathlib import Path

import torch


class Right(torch.nn.Module):
    def __init__(self, offset: float) -> None:
        super().__init__()
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.sum(dim=1) + self.offset


class Failing(Right):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        assert rows.shape[1] == 3, "trained on three columns"
        return rows.sum(dim=1) + self.offset


class Dying(Right):
    """Takes all the memory there is and more."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.ones([1 << 50], dtype=torch.float64) + rows.sum()


def spoil(path: Path) -> None:
    """Keep everything but the code, which becomes no code."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, b"class (" if name.endswith(".py") else data)


def main(folder: str, kind: str, offset: str) -> None:
    path = Path(folder) / "model.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"FAILING": Failing, "DYING": Dying}.get(kind, Right)(float(offset))
    torch.jit.script(made).save(str(path))
    if kind == "BROKEN":
        spoil(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
