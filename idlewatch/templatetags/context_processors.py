"""What templates of Jinja2 have in place of the tag `{% idlewatch %}`: the function `{{ idlewatch() }}`."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest

from idlewatch.templatetags.idlewatch import render


def idlewatch(request: HttpRequest) -> dict[str, Any]:
    """Return the function that renders what the tag does, with the same options."""
    return {"idlewatch": partial(render, request)}
