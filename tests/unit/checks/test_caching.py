from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as project
from django.template import Library, Node, NodeList
from django.template.base import Parser, Token

from idlewatch.checks.middleware import IDLEWATCH

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH = "django.middleware.cache.FetchFromCacheMiddleware"
BOTH = "django.middleware.cache.CacheMiddleware"
AT = project.MIDDLEWARE.index(IDLEWATCH)
BEFORE, AFTER = project.MIDDLEWARE[:AT], project.MIDDLEWARE[AT:]

LOADS = "{% load idlewatch cache %}"
CACHED = LOADS + "{% cache 60 footer %}"
IN_A_BLOCK = CACHED + "{% block footer %}{% endblock %}{% endcache %}{% block free %}{% endblock %}"
CHILD = "{% extends 'base.html' %}{% load idlewatch %}"
TAG = LOADS + "{% idlewatch %}"


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([UPDATE, *project.MIDDLEWARE, FETCH], []),
        ([*BEFORE, UPDATE, *AFTER, FETCH], []),
        ([UPDATE, *BEFORE, FETCH, *AFTER], ["E043"]),
        ([*project.MIDDLEWARE, UPDATE, FETCH], ["E043"]),
        ([BOTH, *project.MIDDLEWARE], ["E043"]),
        ([*project.MIDDLEWARE, BOTH], ["E043"]),
        # Of wagtail-cache.
        (["wagtailcache.cache.UpdateCacheMiddleware", *project.MIDDLEWARE], []),
        ([*project.MIDDLEWARE, "wagtailcache.cache.UpdateCacheMiddleware"], ["E043"]),
    ],
)
def test_cache_middleware_that_is_not_around_is_an_error(found, middleware, expected):
    messages = found(MIDDLEWARE=middleware)
    assert list(messages) == expected
    assert all(message.hint for message in messages.values())


register = Library()


class CachedNode(Node):
    """As packages have it, django-cacheops for one."""

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist


@register.tag
def cached_as(parser: Parser, _: Token) -> CachedNode:
    nodelist = parser.parse(("endcached_as",))
    parser.delete_first_token()
    return CachedNode(nodelist)


@pytest.mark.parametrize(
    ("templates", "name"),
    [
        ({"base.html": TAG + "{% cache 60 footer %}footer{% endcache %}"}, None),
        ({"base.html": CACHED + "{% if user %}{% idlewatch %}{% endif %}{% endcache %}"}, "base.html"),
        ({"base.html": CACHED + "{% include 'parts/foot.html' %}{% endcache %}", "parts/foot.html": TAG}, "base.html"),
        ({"a/base.html": CACHED + "{% include './foot.html' %}{% endcache %}", "a/foot.html": TAG}, "a/base.html"),
        ({"base.html": TAG + "{% load theirs %}{% cached_as %}{% idlewatch %}{% endcached_as %}"}, "base.html"),
        ({"base.html": CACHED + "{% include foot %}{% endcache %}", "foot.html": TAG}, None),
        ({"base.html": CACHED + "{% include 'none.html' %}{% endcache %}"}, None),
        ({"base.html": CACHED + "{% include 'base.html' %}{% endcache %}"}, None),
        (
            {"base.html": IN_A_BLOCK, "page.html": CHILD + "{% block footer %}{% idlewatch %}{% endblock %}"},
            "page.html",
        ),
        ({"base.html": IN_A_BLOCK, "page.html": CHILD + "{% block free %}{% idlewatch %}{% endblock %}"}, None),
        ({"base.html": CACHED + "{% idlewatch %}{% endcache %}", "page.html": TAG + "{% endif %}"}, "base.html"),
        ({"base.html": "{% extends parent %}" + CACHED + "{% idlewatch %}{% endcache %}"}, "base.html"),
    ],
)
def test_client_in_a_cached_fragment_is_an_error(found, settings, tmp_path, templates: Any, name: str | None):
    for path, source in templates.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    (tmp_path / "binary.html").write_bytes(b"\xff{% idlewatch %}")
    options = project.TEMPLATES[0]["OPTIONS"] | {"libraries": {"theirs": __name__}}
    messages = found(TEMPLATES=[project.TEMPLATES[0] | {"DIRS": [tmp_path], "OPTIONS": options}])
    assert list(messages) == ([] if name is None else ["E042"])
    assert all(repr(name) in message.msg and message.hint for message in messages.values())


def test_templates_that_no_directory_has_are_passed_over(found, tmp_path):
    (tmp_path / "page.html").write_text(CACHED + "{% idlewatch %}{% endcache %}")
    memory = ("django.template.loaders.locmem.Loader", {"base.html": CACHED + "{% idlewatch %}{% endcache %}"})
    (templates,) = project.TEMPLATES
    options = templates["OPTIONS"] | {
        "loaders": [memory, *(f"django.template.loaders.{name}.Loader" for name in ("filesystem", "app_directories"))]
    }
    messages = found(TEMPLATES=[templates | {"APP_DIRS": False, "DIRS": [tmp_path], "OPTIONS": options}])
    assert list(messages) == ["E042"]
    assert "'page.html'" in messages["E042"].msg
