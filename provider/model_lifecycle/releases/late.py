"""Effects that came too late: somebody else had moved the release on before they were done."""

from __future__ import annotations

import logging

from model_lifecycle.core.actions import Action, Align, Mirror, Route
from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.release import Release, aliases_after
from model_lifecycle.hooks.serving import ServingHook
from model_lifecycle.releases.aliases import Aliases
from model_lifecycle.stores.ledger import Ledger

log = logging.getLogger(__name__)


class Late:
    """Puts back what one writer did after it had been taken over from."""

    def __init__(self, serving: ServingHook, ledger: Ledger, aliases: Aliases) -> None:
        self.serving, self.ledger, self.aliases = serving, ledger, aliases
        self.endpoint, self.model = ledger.endpoint, ledger.endpoint.model

    def mend(self, action: Action) -> None:
        """Undo an effect that came when others had moved on: who works now repairs it, and if nobody does, we do."""
        mended = 0
        try:
            while (newest := self.ledger.newest()) and newest.state.terminal and newest.generation != mended:
                self._put_back(action, newest)
                mended = newest.generation
        except ModelLifecycleError as error:
            log.error("%s came too late and cannot be put back: %s", action, error)

    def _put_back(self, action: Action, newest: Release) -> None:
        if isinstance(action, Route) and newest.traffic is not None:
            if self.serving.traffic(self.model) == action.traffic != newest.traffic:
                log.warning("%s came too late; routing %s: %s", action, self.endpoint, newest.traffic)
                self.serving.route(self.model, newest.traffic)
        elif isinstance(action, Mirror):
            if action.mirrored and self.serving.mirrored(self.model) == action.mirrored:
                self.serving.mirror(self.model, {})
        elif isinstance(action, Align):
            found, right = self.aliases.found(), aliases_after(self.ledger.releases())
            late = {name: right[name] for name, of in action.aliases.items() if found.get(name) == of != right[name]}
            self.aliases.align(late)
