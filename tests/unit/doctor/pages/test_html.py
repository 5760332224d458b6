"""What of a page concerns the client."""

from __future__ import annotations

import pytest

from idlewatch.doctor.pages.html import parse_page
from tests.support.answers import CONFIG, SCRIPT, STYLESHEET, client, page


def test_the_client():
    found = parse_page(page("<p>A page</p>", client()))
    assert [each.config for each in found.clients] == [CONFIG]
    assert [tag.attributes["href"] for tag in found.clients[0].stylesheets] == ["/static/idlewatch/idlewatch.min.css"]
    assert [tag.attributes["type"] for tag in found.scripts] == ["module"]
    assert not found.clients[0].is_inert


@pytest.mark.parametrize("text", ["", "plain text", "{}", page("<p>&lt;template id=idlewatch-client&gt;</p>"), "<!---"])
def test_a_page_without_it(text: str):
    found = parse_page(text)
    assert not found.clients
    assert not found.scripts


def test_a_client_in_a_comment_is_none():
    assert not parse_page(page(f"<!-- {client()} -->")).clients


def test_two_clients():
    assert len(parse_page(page(client(), client())).clients) == 2


@pytest.mark.parametrize("element", ["template", "noscript", "select"])
def test_a_client_that_is_no_part_of_the_document(element: str):
    (found,) = parse_page(page(f"<{element}>{client()}</{element}>")).clients
    assert found.is_inert


def test_what_follows_an_element_that_is_no_part_is_one():
    (found,) = parse_page(page("<template><template></template></template><noscript></noscript>", client())).clients
    assert not found.is_inert


@pytest.mark.parametrize(
    ("config", "expected"),
    [("", None), ("{", None), ("[]", None), ("[" * 100_000, None), ('{"token": "a&b"}', {"token": "a&b"})],
)
def test_a_configuration(config: str, expected: object):
    assert parse_page(page(client(config))).clients[0].config == expected


@pytest.mark.parametrize(
    "name",
    [
        "idlewatch.min.js",
        "idlewatch.js",
        "idlewatch.min.0a1b2c3d4e5f.js",
        "idlewatch.min.js?v=2",
        "https://cdn.example.net/static/idlewatch/idlewatch.min.js",
    ],
)
def test_names_of_the_script(name: str):
    assert len(parse_page(page(f'<script type="module" src="{name}"></script>')).scripts) == 1


@pytest.mark.parametrize("name", ["notidlewatch.js", "idlewatch.css", "drafts.min.js", "idlewatch/other.js", ""])
def test_other_scripts(name: str):
    assert not parse_page(page(f'<script src="{name}"></script>')).scripts


def test_a_script_in_a_template_that_was_not_closed_does_not_run():
    assert not parse_page(page(client().replace("</template>", ""))).scripts


def test_policies_stand_in_the_head():
    meta = '<META HTTP-EQUIV="Content-Security-Policy" content="default-src \'self\'">'
    assert parse_page(page(meta, head=meta)).policies == ["default-src 'self'"]


def test_the_first_base_counts():
    head = '<base target="_top"><base href="/a/"><base href="/b/">'
    assert parse_page(page(head=head)).base == "/a/"


def test_a_notice_and_a_password():
    found = parse_page(page('<p class="idlewatch-notice big">Why</p><input TYPE="Password" name="p">'))
    assert found.has_notice
    assert found.has_password
    other = parse_page(page('<template><p class="idlewatch-notice"></p><input type="password"></template><input>'))
    assert not other.has_notice
    assert not other.has_password


def test_no_text_shows_a_token():
    found = parse_page(page(client(token="secret-token"), SCRIPT, STYLESHEET))
    assert "secret-token" not in f"{found!r} {found.clients!r} {found.clients[0].stylesheets!r} {found.scripts!r}"
