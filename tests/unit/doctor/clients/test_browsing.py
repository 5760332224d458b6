"""Pages as a browser loads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.browsing import MAX_REDIRECTS, Browsing, Stop, cookies_set_by, is_deletion
from idlewatch.doctor.clients.http_client import Answer
from tests.support.answers import ORIGIN, answer, page, redirect

PROBE: Any = object()


class Pages:
    """A site that answers by path, and notes what it was asked with."""

    address = parse_address(ORIGIN)

    def __init__(self, pages: Mapping[str, Callable[[str], Answer]]) -> None:
        self.pages = pages
        self.asked: list[tuple[str, bool, dict[str, str]]] = []

    def _answer(self, url: str, has_session: bool, cookies: Mapping[str, str]) -> Answer:
        path = url.removeprefix(ORIGIN)
        self.asked.append((path, has_session, dict(cookies)))
        return self.pages[path](path)

    def request(self, url: str, *, headers: Mapping[str, str]) -> Answer:
        return self._answer(url, False, {})

    def request_as(self, probe: Any, url: str, *, headers: Any, cookies: Mapping[str, str]) -> Answer:
        assert probe is PROBE
        return self._answer(url, True, cookies)

    def request_with(self, cookies: Mapping[str, str], url: str, *, headers: Any) -> Answer:
        return self._answer(url, False, cookies)


def leads(to: str, *headers: tuple[str, str]) -> Callable[[str], Answer]:
    return lambda path: redirect(to, *headers, path=path)


def shows(path: str) -> Answer:
    return answer(200, page(), path=path)


def browse(pages: Mapping[str, Callable[[str], Answer]], probe: Any = None) -> tuple[Pages, Browsing]:
    site: Any = Pages(pages)
    return site, Browsing(site, probe)


def test_redirects_are_followed():
    site, browsing = browse({"/": leads("/a/?x=1#part"), "/a/?x=1": leads("../b/"), "/b/": shows})
    visit = browsing.open("/")
    assert [path for path, *_ in site.asked] == ["/", "/a/?x=1", "/b/"]
    assert visit.is_page
    assert visit.path == "/b/"
    assert visit.summary == "302 to /b/, and 200 OK there"


@pytest.mark.parametrize("to", ["https://www.example.net/x/?token=1", "//www.example.net/x/", "http://example.com/x/"])
def test_none_is_followed_to_another_origin(to: str):
    site, browsing = browse({"/": leads(to)}, PROBE)
    visit = browsing.open("/")
    assert visit.stop is Stop.ELSEWHERE
    assert len(site.asked) == 1
    assert "token" not in visit.summary
    assert "another origin" in visit.summary


@pytest.mark.parametrize("to", ["http://[", "https://example.com:port/"])
def test_what_is_no_url_leads_nowhere(to: str):
    site, browsing = browse({"/": leads(to)})
    assert not browsing.open("/").is_page
    assert len(site.asked) == 1


def test_a_password_in_a_url_is_not_shown():
    _, browsing = browse({"/": leads("https://user:secret@sso.example.net/x/")})
    assert "secret" not in browsing.open("/").summary


def test_a_loop_ends():
    site, browsing = browse({"/a/": leads("/b/"), "/b/": leads("/a/")})
    assert browsing.open("/a/").stop is Stop.LOOP
    assert len(site.asked) <= 4


def test_a_page_may_redirect_to_itself_once():
    turns = iter([leads("/"), shows])
    _, browsing = browse({"/": lambda path: next(turns)(path)})  # noqa: PLW0108 - another each time
    assert browsing.open("/").is_page


def test_redirects_without_end_are_given_up():
    _, browsing = browse({f"/{n}/": leads(f"/{n + 1}/") for n in range(MAX_REDIRECTS + 5)})
    visit = browsing.open("/0/")
    assert visit.stop is Stop.TOO_MANY
    assert len(visit.answers) == MAX_REDIRECTS + 1


def test_a_users_browser_sends_back_what_the_site_sets_but_a_session():
    cookies = [("Set-Cookie", f"{each}; Path=/") for each in ("csrftoken=a", "sessionid=other", "x=1")]
    gone = ("Set-Cookie", "x=; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/")
    site, browsing = browse({"/": leads("/a/", *cookies), "/a/": leads("/b/", gone), "/b/": shows}, PROBE)
    browsing.open("/")
    assert site.asked == [
        ("/", True, {}),
        ("/a/", True, {"csrftoken": "a", "x": "1"}),
        ("/b/", True, {"csrftoken": "a"}),
    ]


def test_a_visitor_sends_nothing_back():
    site, browsing = browse({"/": leads("/a/", ("Set-Cookie", "csrftoken=a")), "/a/": shows})
    browsing.open("/")
    assert site.asked == [("/", False, {}), ("/a/", False, {})]


def test_a_browser_after_an_end_has_what_it_is_given():
    site, browsing = browse({"/": shows})
    browsing.cookies["sessionid_ended"] = "signed"
    browsing.open("/")
    assert site.asked == [("/", False, {"sessionid_ended": "signed"})]


def test_cookies_of_an_answer():
    came = answer(200, "", ("Set-Cookie", "a=1; Path=/x"), ("Set-Cookie", "b=; Max-Age=0"), ("Set-Cookie", "=;=;"))
    found = cookies_set_by(came)
    assert {name: (morsel.value, morsel["path"]) for name, morsel in found.items()} == {"a": ("1", "/x"), "b": ("", "")}
    assert [is_deletion(morsel) for morsel in found.values()] == [False, True]
