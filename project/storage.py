"""How static files are stored with `DEBUG` off."""

from __future__ import annotations

from servestatic.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # servestatic ships no types
    """Static files under hashed names, by which ES modules import each other."""

    support_js_module_import_aggregation = True
