from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.site import Site, running
from tests.support.serving import Server, clean_environment, migrated

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: each test starts servers, or needs one.

    Tests of a file share servers, so they run in one process; those of faults have a site each.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.server)
        if item.get_closest_marker("server") and HERE / "faults" not in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(group_of(item.path)))


def group_of(path: Path) -> str:
    """Return what shares servers with a test: its file, or all that use the one deployment."""
    return "deployment" if path.parent == HERE / "deployment" and path.name != "test_serve.py" else path.stem


@contextmanager
def served(directory: Path) -> Iterator[Server]:
    """Serve the tests' site on a database of its own."""
    running = on(shutil.copy(migrated(), directory / "db.sqlite3"), directory)
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
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that leave it as they found it."""
    with served(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, to be stopped and started."""
    with served(tmp_path) as server:
        yield server


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Start a site as a test needs it."""
    with ExitStack() as stack:
        yield lambda *webs, **options: stack.enter_context(running(tmp_path, *webs, proxied=True, **options))


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site of two web processes."""
    return make_site()
