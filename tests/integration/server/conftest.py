from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.serving import Server, clean_environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: each starts a server, or needs one."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.server)


@contextmanager
def served(directory: Path, migrated: Path) -> Iterator[Server]:
    """Serve the tests' site on a copy of a database."""
    database = shutil.copy(migrated, directory / "db.sqlite3")
    running = on(database, directory)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def on(database: Path, directory: Path) -> Server:
    """Return a server on a database, not started yet."""
    environ = clean_environment(
        DEBUG="1", DATABASE_URL=f"sqlite:///{database}", DJANGO_SETTINGS_MODULE="tests.integration.server.settings"
    )
    return Server("project.asgi:application", environ, directory / "daphne.log")


@pytest.fixture(scope="package")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them."""
    directory = tmp_path_factory.mktemp("migrated")
    database = directory / "db.sqlite3"
    on(database, directory).manage("migrate", "--verbosity", "0")
    return database


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    """One server for all that leave it as they found it."""
    with served(tmp_path_factory.mktemp("shared"), migrated) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path, migrated: Path) -> Iterator[Server]:
    """A server of its own, to be stopped and started."""
    with served(tmp_path, migrated) as server:
        yield server
