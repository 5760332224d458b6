from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.deployment.site import Deployment, deployed


@pytest.fixture(scope="package")
def deployment() -> Iterator[Deployment]:
    """The documented deployment; all tests leave it as they found it."""
    with deployed() as running:
        yield running
