"""Templates of Jinja2 that carry the client."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from jinja2 import Environment, pass_context

from idlewatch.templatetags.idlewatch import idlewatch


def environment(**options: Any) -> Environment:
    """Make the environment as the docs say."""
    made = Environment(**options)
    made.globals["idlewatch"] = pass_context(idlewatch)
    return made


@login_required
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.jinja")
