"""How static files are kept where `DEBUG` is off."""

from __future__ import annotations

from servestatic.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # servestatic ships no types
    """Static files under hashed names, which ES modules import each other by."""

    support_js_module_import_aggregation = True
