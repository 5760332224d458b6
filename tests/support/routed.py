"""The tests' site with one database that does not go by the name of default, and none that does."""

from __future__ import annotations

from tests.support.settings import *  # noqa: F403
from tests.support.settings import _DIRECTORY, DATABASES


class Router:
    """Sends everything elsewhere."""

    def db_for_read(self, model: object, **_: object) -> str:
        return "people"

    db_for_write = db_for_read


DATABASES = {"default": {}, "people": {**DATABASES["default"], "NAME": _DIRECTORY / "people.sqlite3"}}
DATABASE_ROUTERS = [Router()]
