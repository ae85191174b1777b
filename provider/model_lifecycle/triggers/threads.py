"""Threads for the questions of triggers: few for each system that is asked, however many wait for it.

The hooks are synchronous. In the event loop's own threads, which all triggers of a triggerer share, those who wait for
a system that hangs would keep everybody else from asking.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async

THREADS = 4
"""Questions to one system at the same time; the others come in turn."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_POOLS: dict[str, ThreadPoolExecutor] = {}


async def ask_aside(system: str, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """The answer to a question, from one of the threads for this system; the event loop goes on meanwhile.

    :param system: what is asked: the id of a connection, the name of an endpoint of it, or the URI of a store.
    """
    name = system if "://" in system else system.partition("/")[0]
    pool = _POOLS.get(name) or _POOLS.setdefault(name, ThreadPoolExecutor(THREADS, f"asking {name}"))
    return await sync_to_async(question, thread_sensitive=False, executor=pool)(*args, **kwargs)
