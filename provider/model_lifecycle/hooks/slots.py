"""Slots: a fixed number of places on a serving host, each with a process that serves one folder on one port.

Which version a slot serves is a link in the model repository, ``.slots/<number>``, made exclusively: of two workers
that want the same slot one gets it. The program in it follows the link when it starts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_lifecycle.core.errors import Conflict
from model_lifecycle.hooks.staging import writing

SLOTS = ".slots"


@dataclass(frozen=True, order=True)
class Slot:
    """One place.

    :param address: ``host:port`` of its server.
    :param program: what Supervisor calls it.
    """

    number: int
    address: str
    program: str


class Slots:
    """The slots of one repository.

    :param addresses: by number.
    :param program: the name of the program section in Supervisor's configuration.
    """

    def __init__(self, repository: Path, addresses: Sequence[str], program: str) -> None:
        self.folder = repository / SLOTS
        self.all = [Slot(i, address, f"{program}:{program}_{i:02d}") for i, address in enumerate(addresses)]

    def of(self, model: str) -> dict[int, list[Slot]]:
        """The slots of a model's versions; two workers at once may have taken two for one version, the first counts."""
        found: dict[int, list[Slot]] = {}
        for slot, (name, version) in self.taken().items():
            if name == model:
                found.setdefault(version, []).append(slot)
        return found

    def taken(self) -> dict[Slot, tuple[str, int]]:
        """Model and version in each slot that is not free."""
        found = {}
        for slot in self.all:
            with suppress(OSError, ValueError):
                _, model, version = Path(os.readlink(self._link(slot))).parts
                found[slot] = (model, int(version))
        return found

    def take(self, model: str, version: int) -> Slot:
        """The slot of a version: the one that it has, or a free one.

        :raises Conflict: if none is free, with what is in them.
        """
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
        if mine := self.of(model).get(version):
            return mine[0]
        for slot in self.all:
            with writing(self._link(slot)), suppress(FileExistsError):
                self._link(slot).symlink_to(Path("..") / model / str(version))
                return self._first(slot, model, version)
        held = ", ".join(f"{name} {number}" for name, number in self.taken().values())
        hint = "unload a version, or give the host more slots: numprocs of its program, and the extra slots"
        raise Conflict(f"no slot is free; they hold {held}", model=model, version=version, hint=hint)

    def free(self, slot: Slot) -> None:
        """Let another version have the slot."""
        with writing(self._link(slot)):
            self._link(slot).unlink(missing_ok=True)

    def _first(self, taken: Slot, model: str, version: int) -> Slot:
        """Of two workers that took a slot each for the same version the one with the later slot steps back."""
        first = min(self.of(model).get(version, [taken]))
        if first != taken:
            self.free(taken)
        return first

    def _link(self, slot: Slot) -> Path:
        return self.folder / str(slot.number)
