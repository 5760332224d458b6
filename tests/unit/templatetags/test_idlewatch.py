from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.template import Context, engines
from django.test import Client
from django.urls import include, path
from django.utils import translation

from idlewatch.core.activity import HOLD_TTL, Reason
from idlewatch.core.policy import Phase
from idlewatch.core.protocol import TAB_PATH, Close, ErrorCode, Message
from idlewatch.http.i18n import NOTICES
from idlewatch.monitor import service as monitor
from idlewatch.monitor.django_sessions import WATCH_KEY
from idlewatch.process import now

CLIENT = Path(__file__).resolve().parents[3] / "static" / "idlewatch"
PAGE = "{% load idlewatch %}<body>{% idlewatch %}</body>"
PLACED = "{% load idlewatch %}{% if request.idlewatch.notice %}{{ request.idlewatch.notice }}{% endif %}{% idlewatch %}"


def page(request: HttpRequest, source: str = PAGE) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(source).render({}, request))


def fail(request: HttpRequest, status: int) -> HttpResponse:
    raise {400: SuspiciousOperation, 403: PermissionDenied, 500: RuntimeError}[status]


def refuse(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse all requests before any other middleware sees them."""

    def middleware(request: HttpRequest) -> HttpResponse:
        raise Http404

    return middleware


def isolated(request: HttpRequest, values: dict[str, object]) -> HttpResponse:
    """Show a page whose part is included with `only`; by `values`, something else has the name of the request."""
    inner = engines["django"].from_string(PAGE)
    source = "{% include inner only %}" if not values else "{% include inner %}"
    template = engines["django"].from_string(source)
    return HttpResponse(template.render({"inner": inner, **values}, request))


urlpatterns = [
    path("", page),
    path("only/", isolated, {"values": {}}),
    path("leave/", isolated, {"values": {"request": "a leave"}}),
    path("fails/<int:status>/", fail),
    path("placed/", page, {"source": PLACED}),
    path("without/", page, {"source": "{% load idlewatch %}{% idlewatch notice=False %}"}),
    path("bundled/", page, {"source": "{% load idlewatch %}{% idlewatch script=False %}"}),
    path("login/", page),
    path("idlewatch/", include("idlewatch.urls")),
]

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


class Tags(HTMLParser):
    """The start tags of a page with their attributes, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def sign_in(client: Client) -> Client:
    client.force_login(User.objects.create(username="user"))
    return client


def end(client: Client) -> Client:
    """End the session as an operator would."""
    monitor.end(client.session[WATCH_KEY], Reason.REVOKED, now())
    return client


@pytest.fixture
def signed_in(client: Client) -> Client:
    return sign_in(client)


@pytest.fixture
def ended(signed_in: Client) -> Client:
    return end(signed_in)


def body(client: Client, at: str = "/") -> str:
    return client.get(at, headers={"Sec-Fetch-Mode": "navigate"}).content.decode()


def config_of(html: str) -> dict[str, object]:
    [template] = Tags(html).all("template")
    return json.loads(template["data-config"] or "")


def test_an_anonymous_page_carries_nothing(client):
    assert body(client) == "<body></body>"


def test_a_signed_in_page_carries_the_client_once(signed_in):
    tags = Tags(body(signed_in))
    [script] = tags.all("script")
    assert script["type"] == "module"
    assert "async" in script
    assert script["src"] == "/static/idlewatch/idlewatch.min.js"
    assert [link["href"] for link in tags.all("link")] == ["/static/idlewatch/idlewatch.min.css"]
    assert [template["id"] for template in tags.all("template")] == ["idlewatch-client"]


def test_a_page_that_bundles_the_client_gets_all_but_the_script(signed_in):
    html = body(signed_in, "/bundled/")
    tags = Tags(html)
    assert not tags.all("script")
    assert [link["href"] for link in tags.all("link")] == ["/static/idlewatch/idlewatch.min.css"]
    assert config_of(html).keys() == config_of(body(signed_in)).keys()


@pytest.mark.parametrize("path", ["/only/", "/leave/"])
def test_a_part_whose_context_has_no_request_carries_the_client_too(signed_in, path):
    assert len(Tags(body(signed_in, path)).all("template")) == 1


def test_the_client_gets_its_configuration(signed_in):
    config = config_of(body(signed_in))
    assert config["socket"] == TAB_PATH
    assert (config["state"], config["message"], config["logout"]) == (
        "/idlewatch/state/",
        "/idlewatch/message/",
        "/idlewatch/logout/",
    )
    assert config["login"] == "/login/"
    assert re.fullmatch("[0-9a-f]{20}-[0-9a-f]{20}", str(config["token"]))
    assert config["frame"]["phase"] == Phase.ACTIVE
    assert {f"reason_{reason}" for reason in Reason} <= set(config["strings"])
    assert config["strings"]["reason_idle"] == str(NOTICES[Reason.IDLE])


@pytest.mark.rule("R23")
def test_no_session_key_and_no_watch_id_gets_into_the_page(signed_in):
    html = body(signed_in)
    assert signed_in.session.session_key not in html
    assert signed_in.session[WATCH_KEY] not in html


@pytest.mark.rule("R27")
def test_nothing_is_inline(signed_in):
    tags = Tags(body(signed_in))
    assert not tags.all("style")
    assert all(script["src"] for script in tags.all("script"))
    for _, attributes in tags.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.rule("R34")
def test_the_warning_is_a_labelled_and_described_alert_dialog(signed_in):
    tags = Tags(body(signed_in))
    [dialog] = [each for each in tags.all("dialog") if each["data-idlewatch"] == "dialog"]
    assert dialog["role"] == "alertdialog"
    assert dialog["aria-modal"] == "true"
    ids = {attributes.get("id") for _, attributes in tags.found}
    for attribute in ("aria-labelledby", "aria-describedby"):
        assert set((dialog[attribute] or "").split()) <= ids
    assert "stay" in [button.get("data-idlewatch-part") for button in tags.all("button")]


@pytest.mark.rule("R42")
def test_the_warning_offers_to_sign_out(signed_in):
    [form] = Tags(body(signed_in)).all("form")
    assert (form["method"], form["action"]) == ("post", "/idlewatch/logout/")


def test_after_an_end_the_reason_is_shown_once(ended):
    first = body(ended)
    assert str(NOTICES[Reason.REVOKED]) in first
    assert "<script" not in first
    assert body(ended) == "<body></body>"


def test_a_reason_that_the_template_has_placed_is_not_repeated(ended):
    assert body(ended, "/placed/").count(str(NOTICES[Reason.REVOKED])) == 1


def test_a_template_may_keep_the_reason_to_itself(ended):
    assert body(ended, "/without/") == ""
    assert str(NOTICES[Reason.REVOKED]) in body(ended)


def test_every_word_that_the_user_sees_can_be_translated(signed_in, monkeypatch):
    monkeypatch.setattr(translation._trans, "gettext", "«{}»".format)
    tags = Tags(body(signed_in))
    assert tags.words
    assert all(words.startswith("«") and words.endswith("»") for words in tags.words), tags.words
    assert all(words.startswith("«") for words in config_of(body(signed_in))["strings"].values())


@pytest.mark.parametrize("context", [{}, {"request": None}, {"request": "a leave"}, {"request": HttpRequest()}])
def test_a_page_without_a_session_gets_nothing(context):
    template = engines["django"].from_string(PAGE).template
    assert template.render(Context(context)) == "<body></body>"


class TestErrorPages:
    """A project's own error pages extend its base template, and Django renders some of them without a request."""

    @pytest.fixture(autouse=True)
    def own_pages(self, settings):
        base = "{% load idlewatch %}<body>{% block main %}{% endblock %}{% idlewatch %}</body>"
        own = "{{% extends 'base.html' %}}{{% block main %}}own {}{{% endblock %}}".format
        pages = {f"{name}.html": own(name) for name in ("400", "403", "403_csrf", "404", "500")}
        memory = ("django.template.loaders.locmem.Loader", pages | {"base.html": base})
        (templates,) = settings.TEMPLATES
        options = templates["OPTIONS"] | {"loaders": [memory, "django.template.loaders.app_directories.Loader"]}
        settings.TEMPLATES = [templates | {"APP_DIRS": False, "OPTIONS": options}]

    @pytest.fixture
    def visitor(self):
        return sign_in(Client(raise_request_exception=False, enforce_csrf_checks=True))

    @pytest.mark.parametrize(
        ("path", "status", "has_client"),
        [
            ("/nowhere/", 404, True),
            ("/fails/403/", 403, True),
            ("/fails/500/", 500, False),
            ("/fails/400/", 400, True),
        ],
    )
    def test_they_are_shown_with_the_client_where_they_have_a_request(self, visitor, path, status, has_client):
        response = visitor.get(path, headers={"Sec-Fetch-Mode": "navigate"})
        assert response.status_code == status
        assert f"own {status}" in response.content.decode()
        assert bool(Tags(response.content.decode()).all("template")) is has_client

    def test_so_is_that_of_a_refused_form(self, visitor):
        response = visitor.post("/")
        assert response.status_code == 403
        assert b"<body>own 403_csrf" in response.content

    def test_so_is_that_of_a_request_that_an_outer_middleware_refuses(self, visitor, settings):
        settings.MIDDLEWARE = [f"{__name__}.refuse", *settings.MIDDLEWARE]
        response = visitor.get("/")
        assert (response.status_code, response.content) == (404, b"<body>own 404</body>")


def constants(name: str) -> dict[str, object]:
    """Read an object out of the client's copy of the protocol."""
    module = (CLIENT / "core" / "protocol.js").read_text()
    [written] = re.findall(rf"export const {name} = /\*\* @type {{const}} \*/ \(\{{(.*?)\}}\)", module, re.DOTALL)
    return {key: json.loads(value) for key, value in re.findall(r"(\w+): (\"[^\"]*\"|\d+)", written)}


@pytest.mark.rule("R26")
@pytest.mark.parametrize(
    ("name", "enum", "uses_all"),
    [("CLOSE", Close, True), ("PHASE", Phase, True), ("REASON", Reason, False), ("ERROR", ErrorCode, False)],
)
def test_the_client_has_the_server_s_names(name, enum, uses_all):
    names = {member.name: member.value for member in enum}
    assert constants(name)
    assert constants(name).items() <= names.items()
    assert constants(name) == names or not uses_all


def test_the_client_sends_the_messages_that_the_server_takes():
    tags = {message.__struct_config__.tag for message in Message.__args__}
    assert set(constants("MESSAGE").values()) == tags
    assert constants("LIMIT") == {"AGO": 86400, "HOLD_ID": 64, "HOLD_LABEL": 120, "HOLD_LIFE": int(HOLD_TTL)}


def test_every_part_that_the_client_names_is_in_the_template():
    template = (CLIENT.parents[1] / "idlewatch" / "templates" / "idlewatch" / "client.html").read_text()
    scripts = "".join(path.read_text() for path in (CLIENT / "ui").glob("*.js"))
    named = set(re.findall(r'(?:partOf|setPartText)\([\w.]+, "([\w-]+)"', scripts))
    assert len(named) > 7
    assert named <= set(re.findall(r'data-idlewatch-part="([\w-]+)"', template))
