from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.faults.site import Site, running
from tests.support.serving import Server, clean_environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: each starts servers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="package")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them."""
    directory = tmp_path_factory.mktemp("migrated")
    database = directory / "db.sqlite3"
    environ = clean_environment(DEBUG="1", DATABASE_URL=f"sqlite:///{database}")
    Server("project.asgi:application", environ, directory / "log").manage("migrate", "--verbosity", "0")
    return database


@pytest.fixture
def make_site(tmp_path: Path, migrated: Path) -> Iterator[Callable[..., Site]]:
    """Start a site as a test needs it."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(running(tmp_path, migrated, **options))


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site of two web processes."""
    return make_site()
