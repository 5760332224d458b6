"""Static files: what browsers refuse, and what is another file than the installed one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from idlewatch.doctor.address import parse_address
from idlewatch.doctor.clients.connection import NoAnswer
from idlewatch.doctor.clients.http_client import Answer
from idlewatch.doctor.findings import Flaw
from idlewatch.doctor.network.static_files import SCRIPT_FILE, STYLESHEET_FILE, File, fetch, flaws_in, is_mixed
from idlewatch.doctor.site import Options, Site
from idlewatch.ops.self_report import SCRIPT, STYLESHEET
from tests.support.answers import answer
from tests.support.raw_http import raw_server, response

OWN, CDN = f"/static/{SCRIPT}", f"https://cdn.example/{SCRIPT}"
JAVASCRIPT = ("Content-Type", "text/javascript; charset=utf-8")


@pytest.fixture
def site() -> Iterator[Site]:
    """A site at https://example.com/."""
    with closing(Site(Options(parse_address("https://example.com/")))) as site:
        yield site


def installed(name: str = SCRIPT) -> bytes:
    path = finders.find(name)
    assert path is not None
    return Path(path).read_bytes()


def served(*headers: tuple[str, str], body: bytes | None = None, status: int = 200) -> Answer:
    made = answer(status, "", *(headers or (JAVASCRIPT,)))
    return made._replace(body=installed() if body is None else body)


def found(site: Site, came: Answer, url: str = OWN, file: File = SCRIPT_FILE) -> list[str]:
    return [f"{flaw.came} {flaw.hint}" for flaw in flaws_in(site, url, file, came)]


def only(flaws: list[str]) -> str:
    [flaw] = flaws
    return flaw


class TestWhatBrowsersTake:
    @pytest.mark.parametrize(
        "content_type", ["text/javascript", "application/javascript", "Text/JavaScript; charset=x"]
    )
    def test_is_a_module_by_its_type(self, site: Site, content_type: str):
        assert found(site, served(("Content-Type", content_type))) == []

    def test_is_a_stylesheet_by_its_type(self, site: Site):
        came = served(("Content-Type", "text/css"), body=installed(STYLESHEET))
        assert found(site, came, file=STYLESHEET_FILE) == []

    def test_may_be_compressed(self, site: Site):
        assert found(site, served(JAVASCRIPT, ("Content-Encoding", "gzip"))) == []
        assert found(site, served(JAVASCRIPT, ("Content-Encoding", "br"), body=b"?")) == []

    @pytest.mark.parametrize("allowed", ["*", "https://example.com"])
    def test_is_allowed_by_another_origin(self, site: Site, allowed: str):
        assert found(site, served(JAVASCRIPT, ("Access-Control-Allow-Origin", allowed)), CDN) == []

    def test_needs_no_permission_for_a_stylesheet(self, site: Site):
        came = served(("Content-Type", "text/css"), body=installed(STYLESHEET))
        assert found(site, came, CDN, STYLESHEET_FILE) == []


class TestWhatBrowsersRefuse:
    @pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/json"])
    def test_is_of_another_type(self, site: Site, content_type: str):
        assert f"200 with {content_type}" in only(found(site, served(("Content-Type", content_type))))

    def test_has_no_type(self, site: Site):
        assert "no Content-Type" in only(found(site, answer(200, "", ("Content-Type", ""))._replace(body=installed())))

    def test_is_a_page_in_its_place(self, site: Site):
        assert "login page" in only(found(site, answer(200, "<html>")))

    @pytest.mark.parametrize(("status", "words"), [(404, "collectstatic"), (302, "without a sign-in"), (500, "log")])
    def test_has_another_status(self, site: Site, status: int, words: str):
        assert words in only(found(site, served(status=status)))

    def test_lies_outside_of_the_site(self):
        with closing(Site(Options(parse_address("https://example.com/app/")))) as below:
            assert "STATIC_URL" in only(found(below, served(status=404)))
            assert "below /app" in only(found(below, served(status=404)))
            assert "below /app" not in only(found(below, served(status=404), "/app" + OWN))
            assert found(below, served()) == []

    @pytest.mark.parametrize("headers", [(), (("Access-Control-Allow-Origin", "https://other.example"),)])
    def test_is_not_allowed_by_another_origin(self, site: Site, headers: tuple[tuple[str, str], ...]):
        text = only(found(site, served(JAVASCRIPT, *headers), CDN))
        assert "Access-Control-Allow-Origin: https://example.com" in text

    def test_is_kept_from_pages_of_other_origins(self, site: Site):
        headers = ("Content-Type", "text/css"), ("Cross-Origin-Resource-Policy", "same-origin")
        came = served(*headers, body=installed(STYLESHEET))
        assert "cross-origin" in only(found(site, came, CDN, STYLESHEET_FILE))

    def test_has_no_tls(self, site: Site):
        assert is_mixed(site, "http://cdn.example/a.js")
        assert not is_mixed(site, "//cdn.example/a.js")
        assert not is_mixed(site, OWN)
        with closing(Site(Options(parse_address("http://127.0.0.1:8000/")))) as plain:
            assert not is_mixed(plain, "http://cdn.example/a.js")


class TestAnotherFile:
    @pytest.fixture
    def root(self, settings: Any, tmp_path: Path) -> Path:
        """The directory of a storage whose names have hashes."""
        settings.STATIC_ROOT = tmp_path
        storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
        return tmp_path

    def test_is_an_old_copy(self, site: Site):
        text = only(found(site, served(body=b"old")))
        assert "another file than the installed one" in text
        assert "old copy" in text

    def test_is_not_what_the_storage_has_made_of_it(self, site: Site, root: Path):
        (root / "idlewatch").mkdir()
        (root / SCRIPT).write_bytes(installed())
        changed = root / "idlewatch" / "idlewatch.min.0123456789ab.js"
        changed.write_bytes(b"/* changed by the storage */")
        (root / "staticfiles.json").write_text(
            f'{{"version": "1.1", "hash": "", "paths": {{"{SCRIPT}": "idlewatch/{changed.name}"}}}}'
        )
        assert found(site, served(body=changed.read_bytes())) == []
        assert "old copy" in only(found(site, served(body=b"old")))

    def test_was_collected_before_an_update(self, site: Site, root: Path):
        (root / "idlewatch").mkdir()
        (root / SCRIPT).write_bytes(b"old")
        assert "collected copy is of another version" in only(found(site, served(body=b"old")))


class TestFetching:
    def test_marks_a_request_as_a_browser_does(self):
        with raw_server(response()) as server, closing(Site(Options(parse_address(server.url)))) as site:
            fetch(site, OWN, SCRIPT_FILE)
        [head] = server.requests
        assert f"GET {OWN} " in head
        assert "Sec-Fetch-Dest: script" in head
        assert "Sec-Fetch-Site: same-origin" in head

    def test_asks_another_origin_without_cookies_and_with_the_origin_of_the_page(self, site: Site):
        with raw_server(response()) as cdn:
            fetch(site, f"{cdn.url}a.js?v=1", SCRIPT_FILE)
            fetch(site, f"{cdn.url}a.css", STYLESHEET_FILE)
        script, stylesheet = cdn.requests
        assert "GET /a.js?v=1 " in script
        assert f"Host: 127.0.0.1:{cdn.port}\r\n" in script
        assert "Origin: https://example.com\r\n" in script
        assert "Sec-Fetch-Site: cross-site" in script
        assert "Origin" not in stylesheet
        assert "Cookie" not in script + stylesheet

    @pytest.mark.parametrize("url", ["data:text/javascript,1", "https://ann:secret@cdn.example/a.js", "https://[::1"])
    def test_what_is_no_address_is_no_answer(self, site: Site, url: str):
        with pytest.raises(NoAnswer) as raised:
            fetch(site, url, SCRIPT_FILE)
        assert "secret" not in str(raised.value)


def test_a_flaw_shows_nothing_of_what_came():
    assert "secret" not in repr(Flaw("secret", "secret"))
