from __future__ import annotations

from tests.support.http import on_site  # noqa: F401
