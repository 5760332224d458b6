"""Two web processes on one memory store, as `uvicorn --workers 2` starts them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import on
from tests.integration.server.visitors import FETCH, NAVIGATION, Tab, Visitor
from tests.integration.site import until
from tests.support.serving import Server, standing_still


@pytest.fixture
def second(server: Server, tmp_path: Path) -> Iterator[Server]:
    """A second process on the database of the first."""
    database = Path(server.environ["DATABASE_URL"].removeprefix("sqlite:///"))
    Visitor(server).get("/healthz")
    until(lambda: Visitor(server).get("/readyz").status == 200)
    (tmp_path / "second").mkdir()
    second = on(database, tmp_path / "second")
    second.start()
    yield second
    second.stop(signal.SIGKILL)


def at(server: Server, visitor: Visitor) -> Visitor:
    """Return the visitor's browser at another process."""
    other = Visitor(server)
    other.cookies = dict(visitor.cookies)
    return other


async def test_the_second_serves_visitors_until_the_first_is_gone(server: Server, second: Server):
    visitor = Visitor(server, "steady")
    assert visitor.get("/").status == 200
    there = at(second, visitor)
    for headers in (NAVIGATION, FETCH):
        refused = there.get("/", headers)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert refused.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in refused.headers
        # The server runs in debug mode.
        assert "The memory store supports one process" in refused.text
    assert await Tab(await there.connect()).rest() == ([], 4503)
    assert Visitor(second).get("/accounts/login/").status == 200
    assert Visitor(second).get("/enter/other/").status == 503
    assert Visitor(second).get("/readyz").status == 503
    assert [there.get(path).status for path in ("/healthz", "/static/idlewatch/idlewatch.css")] == [200, 200]
    until(lambda: "belongs to process" in second.log.read_text())

    # Signed out there, out here within a second.
    leaving = Visitor(server, "leaving")
    leaving.get("/")
    async with leaving.tab() as tab:
        assert at(second, leaving).post("/accounts/logout/").status == 302
        assert (await tab.frame())["reason"] == "logout"

    server.stop(signal.SIGTERM)
    assert there.get("/").status == 200
    tab = await there.open_tab()
    assert tab.first["phase"] == "active"
    tab.drop()
    # The one that comes back is the second one now; it has the store as soon as the other is gone, also killed.
    server.start()
    assert visitor.get("/").status == 503
    second.stop(signal.SIGKILL)
    assert visitor.get("/").status == 200


async def test_one_that_stood_still_judges_nothing_when_it_goes_on(server: Server, second: Server):
    visitor = Visitor(server, "steady")
    tab = await visitor.open_tab()
    with standing_still(server):
        there = at(second, visitor)
        until(lambda: there.get("/").status == 200, within=15)
    until(lambda: visitor.get("/").status == 503, within=3)
    assert await tab.rest() == ([], 4503)
