"""How a key of the setting `IDLEWATCH` is declared: once, with all that derives from it.

From a `Setting` derive the accessor of the same name in lower case (`conf.max_tabs`), the system check of its value,
the environment variable of the deployable project and its row in `docs/settings.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, Self, TypeVar, overload

from idlewatch.conf.validators import Validator

T = TypeVar("T")

DOCUMENTATION = "https://github.com/idlewatch/idlewatch/blob/main/docs"
"""Where messages refer to: the wheel has no documentation."""


class Project(Protocol):
    """What holds the dict that a project wrote."""

    @property
    def given(self) -> Mapping[str, Any]:
        """The dict, as it was written."""


def place(key: str) -> str:
    """Return how messages name a key of the setting."""
    return f"IDLEWATCH[{key!r}]"


class Setting(Generic[T]):
    """One key of `IDLEWATCH`: a descriptor that parses the value when it is first read, and keeps it until a change.

    It has no `__set__`, so that what it stores in the instance's `__dict__` comes first, as with `cached_property`.
    """

    def __init__(
        self, key: str, validator: Validator[T], default: object, description: str, *, check: str, hint: str = ""
    ) -> None:
        self.key = key
        self.validator = validator
        self.default = default
        """The value of an unset key, as a project would write it."""
        self.description = self.__doc__ = description
        """The effect of the setting, in one phrase."""
        self.check = f"idlewatch.{check}"
        """The id of the system check of its value."""
        self.hint = hint or f"{description}. The default is {default!r}."
        """The hint of that check."""
        self.name = ""
        """The name of the attribute in `Conf`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Project, owner: type) -> T: ...
    def __get__(self, instance: Project | None, owner: type) -> Self | T:
        """Return the parsed value.

        Raises:
            ImproperlyConfigured: what the project wrote can't be used.
        """
        if instance is None:
            return self
        value = self.validator(place(self.key), instance.given.get(self.key, self.default))
        vars(instance)[self.name] = value
        return value


class Limit(Setting[T]):
    """A key that `POLICY` may answer with too; its name is the field of the policy."""
