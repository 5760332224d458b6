"""Checks that no package answers queries of the records from a cache of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.apps import apps
from django.conf import settings
from django.core.checks import Error
from django.db.models import Model

from idlewatch.checks.registry import Messages, check

APP = "idlewatch"
WHY = "A session that has ended may be live in a cache, and would be after a restart."


@check()
def cachalot_leaves_the_records() -> Messages:
    """Check that django-cachalot caches no table of idlewatch: it may read a row again before that is written."""
    if not apps.is_installed("cachalot") or not getattr(settings, "CACHALOT_ENABLED", True):
        return
    apart, only = _chosen("CACHALOT_UNCACHABLE"), _chosen("CACHALOT_ONLY_CACHABLE")
    cached = {table for table in _tables([APP]) if table not in apart and (not only or table in only)}
    if cached:
        message = f"django-cachalot caches {', '.join(sorted(cached))}; expected it to leave the tables of idlewatch."
        yield Error(message, hint=f"CACHALOT_UNCACHABLE_APPS = ({APP!r},). {WHY}", id="idlewatch.E055")


@check()
def cacheops_leaves_the_records() -> Messages:
    """Check that django-cacheops caches no query of idlewatch: it does not notice updates of many rows."""
    given = getattr(settings, "CACHEOPS", None)
    if not (
        apps.is_installed("cacheops") and getattr(settings, "CACHEOPS_ENABLED", True) and isinstance(given, Mapping)
    ):
        return
    profiles = {str(name).lower(): profile for name, profile in given.items()}
    cached = sorted(model._meta.label for model in _models(APP) if _has_profile(model, profiles))
    if cached:
        message = f"CACHEOPS caches queries of {', '.join(cached)}; expected it to leave the models of idlewatch."
        yield Error(message, hint=f"Add '{APP}.*': None to CACHEOPS. {WHY}", id="idlewatch.E056")


def _models(app: str) -> Iterable[type[Model]]:
    return apps.get_app_config(app).get_models()


def _tables(labels: Iterable[str]) -> set[str]:
    return {model._meta.db_table for app in labels if app in apps.app_configs for model in _models(app)}


def _chosen(setting: str) -> set[str]:
    """Return the tables that two settings of django-cachalot name: one by tables, one by apps."""
    return {*getattr(settings, f"{setting}_TABLES", ()), *_tables(getattr(settings, f"{setting}_APPS", ()))}


def _has_profile(model: type[Model], profiles: Mapping[str, object]) -> bool:
    """Return whether django-cacheops caches queries of a model: the most specific pattern decides."""
    app, name = model._meta.app_label, model._meta.model_name
    pattern = next((each for each in (f"{app}.{name}", f"{app}.*", "*.*") if each in profiles), None)
    profile = None if pattern is None else profiles[pattern]
    defaults = getattr(settings, "CACHEOPS_DEFAULTS", {})
    return isinstance(profile, Mapping) and bool({**defaults, **profile}.get("ops"))
