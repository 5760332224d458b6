from __future__ import annotations

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connection

CONDITIONAL = [
    name
    for name in dir(connection.features)
    if name.startswith("supports_") and name.endswith(("_indexes", "_constraints"))
]


@pytest.mark.django_db
def test_databases_without_finer_indexes_and_constraints_migrate_without_a_warning(monkeypatch: pytest.MonkeyPatch):
    """Django warns at each `migrate` of what MariaDB would not make."""
    assert "supports_partial_indexes" in CONDITIONAL
    for feature in CONDITIONAL:
        monkeypatch.setattr(type(connection.features), feature, False)
    ours = [apps.get_app_config(label) for label in ("idlewatch", "idlewatch_drafts")]
    assert run_checks(app_configs=ours, databases=["default"]) == []
