"""The templates of idlewatch, which are Django's: another engine may find them first, and fail on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.backends.django import Template as DjangoTemplate


def render_template(name: str, context: Mapping[str, Any], request: HttpRequest) -> str:
    """Render a template of idlewatch, or the project's in its place, by the first engine of Django's that has it.

    Raises:
        TemplateDoesNotExist: no engine of Django's finds it.
    """
    return find_template(name).render(dict(context), request)


def template_response(request: HttpRequest, name: str, context: Mapping[str, Any]) -> HttpResponse:
    """Return a page of idlewatch."""
    return HttpResponse(render_template(name, context, request))


def find_template(name: str) -> DjangoTemplate:
    """Return a template of Django's.

    Raises:
        TemplateDoesNotExist: no engine of Django's finds it.
    """
    tried = []
    for engine in engines.all():
        # One that does not escape is for mails.
        if isinstance(engine, DjangoTemplates) and engine.engine.autoescape:
            try:
                return engine.get_template(name)
            except TemplateDoesNotExist as error:
                tried.append(error)
    raise TemplateDoesNotExist(name, chain=tried)
