"""The pytest fixture `idlewatch`, which the package registers by an entry point."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest


@pytest.fixture
def idlewatch() -> Iterator[ModuleType]:
    """Return the module `idlewatch.testing`, in a server process of the test's own: with its own store and time."""
    from idlewatch import testing  # noqa: PLC0415 - plugins are imported before Django has its settings

    with testing.isolated():
        yield testing
