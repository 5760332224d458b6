"""Checks that no cache of pages stores what belongs to one user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.core.checks import Error
from django.template import Context, Template, TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.base import Node
from django.template.engine import Engine
from django.template.library import SimpleNode
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode, construct_relative_path
from django.template.loaders import cached, filesystem
from django.template.loaders.base import Loader

from idlewatch.checks.middleware import IDLEWATCH, position_of_kind
from idlewatch.checks.registry import Messages, check

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH = "django.middleware.cache.FetchFromCacheMiddleware"
TAGS = re.compile(r"{%\s*(\w*cache\w*|idlewatch)\b")
"""The tag, and those that may have it inside."""
MAX_SIZE = 1_000_000
"""Bytes of a template that is read."""

N = TypeVar("N", bound=Node)


@check()
def cache_middleware_is_around() -> Messages:
    """Check that a session is judged before a cached page is served, and a page restricted before it is cached."""
    at, update, fetch = (position_of_kind(path) for path in (IDLEWATCH, UPDATE, FETCH))
    if at is None:
        return
    for position, is_wrong, side in (
        (update, update is not None and update > at, "before"),
        (fetch, fetch is not None and fetch < at, "after"),
    ):
        if position is not None and is_wrong:
            entry = settings.MIDDLEWARE[position]
            message = f"MIDDLEWARE has {entry!r} on the wrong side of {IDLEWATCH!r}; expected it {side} that."
            hint = (
                f"Put {UPDATE!r} first and {FETCH!r} last. Otherwise a page is cached as it leaves its view, or served "
                "to a session that has ended."
            )
            yield Error(message, hint=hint, id="idlewatch.E043")


@check()
def cached_fragments_lack_the_client() -> Messages:
    """Check that no template has the tag inside `{% cache %}`."""
    for engine in _engines():
        for name in sorted(set(_names(engine))):
            # Django's own checks, and pages, report templates that can't be loaded.
            with suppress(Exception):
                if not _caches_the_tag(engine.get_template(name)):
                    continue
                message = f"The template {name!r} has {{% idlewatch %}} inside {{% cache %}}; expected it outside."
                hint = "The client belongs to one user, and would be served to everyone who gets the fragment."
                yield Error(message, hint=hint, id="idlewatch.E042")


def _engines() -> Sequence[Engine]:
    try:
        return [backend.engine for backend in engines.all() if isinstance(backend, DjangoTemplates)]
    except Exception:  # noqa: BLE001 - Django's own checks report engines that can't be made
        return []


def _names(engine: Engine) -> Iterator[str]:
    """Yield the names of the templates that have one of the tags."""
    for directory in _directories(engine.template_loaders):
        for path in Path(directory).rglob("*"):
            with suppress(OSError, UnicodeError):
                if path.is_file() and path.stat().st_size < MAX_SIZE and TAGS.search(path.read_text()):
                    yield path.relative_to(directory).as_posix()


def _directories(loaders: Iterable[Loader]) -> Iterator[str | Path]:
    for loader in loaders:
        if isinstance(loader, cached.Loader):
            yield from _directories(loader.loaders)
        elif isinstance(loader, filesystem.Loader):
            yield from loader.get_dirs()


def _caches_the_tag(template: Template) -> bool:
    """Return whether a template has the tag in a cached fragment of its own, or of one that it extends."""
    engine = template.engine
    if any(_has_tag(node, engine) for node in _fragments(template)):
        return True
    fragments = (node for parent in _parents(template) for node in _fragments(parent))
    names = {block.name for node in fragments for block in _nodes(node, BlockNode)}
    return any(block.name in names and _has_tag(block, engine) for block in _nodes(template, BlockNode))


def _fragments(template: Template) -> Iterator[Node]:
    """Yield what a template caches, by Django's tag or one that another package names alike."""
    for node in _nodes(template, Node):
        kind = type(node)
        if "cache" in f"{kind.__module__.rpartition('.')[2]}.{kind.__qualname__}".lower():
            yield node


def _parents(template: Template) -> Iterator[Template]:
    """Yield all that a template extends."""
    context = Context()
    context.template = template
    while extending := next(_nodes(template, ExtendsNode), None):
        template = extending.get_parent(context)
        yield template


def _has_tag(parent: Node | Template, engine: Engine, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a node has the tag, also in templates that it includes by their names."""
    from idlewatch.templatetags.idlewatch import idlewatch  # noqa: PLC0415 - it needs the models

    if any(node.func is idlewatch for node in _nodes(parent, SimpleNode)):
        return True
    for node in _nodes(parent, IncludeNode):
        name = node.template.var
        if not isinstance(name, str) or name in seen:
            continue
        with suppress(TemplateDoesNotExist):
            including = str(node.origin.template_name)
            included = engine.get_template(construct_relative_path(including, name))
            if any(_has_tag(each, engine, seen | {name}) for each in (included, *_parents(included))):
                return True
    return False


def _nodes(parent: Node | Template, kind: type[N]) -> Iterator[N]:
    nodes = (parent.nodelist if isinstance(parent, Template) else parent).get_nodes_by_type(kind)
    return (node for node in nodes if isinstance(node, kind))
