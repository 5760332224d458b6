from __future__ import annotations

from collections.abc import Iterator
from secrets import token_hex

import pytest

from tests.integration.deployment.site import Deployment, deployed


@pytest.fixture(scope="package")
def deployment() -> Iterator[Deployment]:
    """The documented deployment, for all tests that leave it as they found it."""
    with deployed(f"shared_{token_hex(4)}") as running:
        yield running


@pytest.fixture
def own() -> Iterator[Deployment]:
    """A deployment of its own, to be stopped and started."""
    with deployed(f"own_{token_hex(4)}") as running:
        yield running
