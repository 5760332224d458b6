"""The store of a process."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from idlewatch.monitor import stores


def test_a_backend_that_is_no_store_is_refused_by_its_name(settings: Any):
    settings.IDLEWATCH = {"STORE": {"BACKEND": "datetime.datetime"}}
    with pytest.raises(ImproperlyConfigured, match=r"'datetime\.datetime'; expected a Store"):
        stores.current()
