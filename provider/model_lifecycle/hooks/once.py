"""A property that asks a server once, without keeping others waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - reads like cached_property
    """As ``functools.cached_property``, which on Python 3.11 holds one lock for all instances of a class.

    With that, one server that hangs makes the hooks of every other server of its kind wait, thread after thread. Two
    threads that share an instance may here ask twice, which does no harm.
    """

    def __init__(self, ask: Callable[[Any], T]) -> None:
        self.ask = ask
        self.__doc__ = ask.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> once[T] | T:
        if instance is None:
            return self
        found = self.ask(instance)
        vars(instance)[self.name] = found
        return found
