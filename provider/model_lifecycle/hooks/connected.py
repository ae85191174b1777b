"""What every hook on one connection has in common: the connection, its extras, and the button of its form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from inspect import isabstract
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Invalid, ModelLifecycleError
from model_lifecycle.hooks.extras import extras

if TYPE_CHECKING:
    from airflow.sdk import Connection


class Connected(BaseHook, ABC):
    """A hook on the connection whose id it keeps in the attribute that ``conn_name_attr`` names, as Airflow wants it.

    A backend that declares itself badly fails when its module is imported, not hours later in the triggerer.
    """

    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str] = ""
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    declared: ClassVar[tuple[str, ...]] = ("conn_type", "hook_name")
    """The class attributes without which a class that is not abstract cannot be made."""

    folders: ClassVar[tuple[str, ...]] = ()
    """The extras that name folders which must be there to deploy."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [name for name in cls.declared if not hasattr(cls, name)]
        if missing and not isabstract(cls):
            raise TypeError(f"{cls.__name__} must declare {', '.join(missing)}")

    @property
    def conn_id(self) -> str:
        """The id of the connection."""
        return str(getattr(self, self.conn_name_attr))

    @cached_property
    def connection(self) -> Connection:
        """The connection, read when it is first used."""
        return BaseHook.get_connection(self.conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """What :meth:`prove_connection` finds, for the button of the connection form.

        First come the extras, then the server, then the folders: what is nearest to the form is told first.
        """
        try:
            extras(self.connection)
            found = self.prove_connection()
            self._prove_folders()
        except ModelLifecycleError as error:
            return False, str(error)
        return True, found

    @abstractmethod
    def prove_connection(self) -> str:
        """Prove that the connection leads to such a system and lets us in; return what to tell of it.

        :raises ModelLifecycleError: with what is missing.
        """

    def _prove_folders(self) -> None:
        for extra in self.folders:
            if not self.connection.extra_dejson.get(extra):
                continue
            path = self.folder(extra, "write an absolute path")
            if not path.is_dir():
                hint = "make or mount it here and where the workers run, or correct the path"
                message = f"the extra {extra} names no folder of the machine that tests: {path}"
                raise Invalid(message, target=self.conn_id, hint=hint)

    def folder(self, extra: str, hint: str) -> Path:
        """A folder that an extra names as this worker sees it; whether it is there is not asked.

        :param hint: what to set the extra to.
        :raises Invalid: if it is not an absolute path.
        """
        value = self.connection.extra_dejson.get(extra)
        if not isinstance(value, str) or not Path(value).is_absolute():
            raise Invalid(f"the extra {extra} is not an absolute path", target=self.conn_id, hint=hint)
        return Path(value)

    def number(self, extra: str, default: float) -> float:
        """What an extra says that is a number of at least 1, or the default where it says nothing.

        :raises Invalid: if it is anything else.
        """
        value = self.connection.extra_dejson.get(extra)
        try:
            found = default if value in (None, "") else float(value)
        except (TypeError, ValueError):
            found = 0.0
        if not 1 <= found < 10**6:
            hint = f"set it to a number, or remove it: it is {default:g} then"
            raise Invalid(f"the extra {extra} is not a number of at least 1", target=self.conn_id, hint=hint)
        return found
