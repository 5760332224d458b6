"""Runs of the doctor, several at once: most of their time they wait."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import pytest

from tests.integration.doctor.breakage import Breakage
from tests.integration.doctor.sites import Diagnosis, examined, served

AT_ONCE = 4
"""Sites that are served at once."""


class Runs:
    """What the doctor says of the sites that a file's selected tests ask for."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        items = [item for item in request.session.items if isinstance(item, pytest.Function)]
        sites = [item.callspec.params["site"] for item in items if item.path == request.path]
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._runs: dict[str, Future[Diagnosis]] = {site.name: self._pool.submit(_examine, site) for site in sites}

    def of(self, site: Breakage) -> Diagnosis:
        """Wait for the run on a site, and return what it said."""
        return self._runs.pop(site.name).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def _examine(site: Breakage) -> Diagnosis:
    with served(site) as running:
        return examined(running)
