"""Checks that the pages of Django's admin have the client: operators are warned like all other users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.apps import apps
from django.core.checks import Warning  # noqa: A004 - Django's own name
from django.template import Context, Template
from django.template.backends.django import Template as Backed
from django.template.base import Node
from django.template.library import SimpleNode
from django.template.loader import get_template
from django.template.loader_tags import ExtendsNode, IncludeNode

from idlewatch.checks.registry import Messages, check

ADMIN = "django.contrib.admin"
BASE = "admin/base_site.html"

N = TypeVar("N", bound=Node)


@check()
def admin_has_the_client() -> Messages:
    """Check that the admin's base template has the tag."""
    if not apps.is_installed(ADMIN):
        return
    try:
        base = get_template(BASE)
        if not isinstance(base, Backed) or any(map(_has_tag, _chain(base.template))):
            return
    except Exception:  # noqa: BLE001 - Django's own checks and pages report templates that can't be loaded
        return
    origin = base.template.origin.name
    message = f"The admin's base template is {origin}, which lacks {{% idlewatch %}}; expected it there."
    hint = (
        f"Put 'idlewatch' before {ADMIN!r} in INSTALLED_APPS. In your own {BASE}, {{% load idlewatch %}}, and put "
        '{% idlewatch %} into the block "extrabody". Without it an open page of the admin neither warns nor reports '
        "activity."
    )
    yield Warning(message, hint=hint, id="idlewatch.W023")


def _chain(template: Template) -> Iterator[Template]:
    """Yield a template, and all that it extends."""
    context = Context()
    context.template = template
    while True:
        yield template
        extending = next(_nodes(template, ExtendsNode), None)
        if extending is None:
            return
        template = extending.get_parent(context)


def _has_tag(template: Template) -> bool:
    """Return whether a template, or one that it includes by its name, has the tag."""
    from idlewatch.templatetags.idlewatch import idlewatch  # noqa: PLC0415 - it needs the models, as its pages do

    if any(node.func is idlewatch for node in _nodes(template, SimpleNode)):
        return True
    named = (node.template.var for node in _nodes(template, IncludeNode))
    included = (get_template(name) for name in named if isinstance(name, str) and name != template.name)
    return any(isinstance(each, Backed) and _has_tag(each.template) for each in included)


def _nodes(template: Template, kind: type[N]) -> Iterator[N]:
    return (node for node in template.nodelist.get_nodes_by_type(kind) if isinstance(node, kind))
