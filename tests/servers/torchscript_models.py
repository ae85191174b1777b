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


class Named(Right):
    def forward(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": rows.sum(dim=1) + self.offset, "first": rows[:, 0]}


class Pair(Right):
    """Two arguments, two answers, and no parameter of its own type."""

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return one + other, one / other


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
    made = {"FAILING": Failing, "NAMED": Named, "PAIR": Pair}.get(kind, Right)(float(offset))
    torch.jit.script(made).save(str(path))
    if kind == "BROKEN":
        spoil(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
