from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.sites.chromium import chromium

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here, for no other stage runs it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.site)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine() -> AsyncIterator[Browser]:
    """One Chromium for all sites of a test process."""
    async with chromium() as browser:
        yield browser
