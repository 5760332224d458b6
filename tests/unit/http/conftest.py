from __future__ import annotations

from tests.support.http import on_site  # noqa: F401
from tests.support.package_engines import package_engine  # noqa: F401
