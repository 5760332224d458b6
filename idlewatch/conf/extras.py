"""The extras that idlewatch can be installed with, such as `pip install "idlewatch[drafts]"`."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.util import find_spec


class Extra(StrEnum):
    """An extra, by its name in `pyproject.toml`."""

    DAPHNE = "daphne"
    REDIS = "redis"
    DRAFTS = "drafts"
    METRICS = "metrics"
    DEVICES = "devices"
    DOCTOR = "doctor"
    BROWSER = "browser"

    @property
    def command(self) -> str:
        """The command that installs it."""
        return f'pip install "idlewatch[{self.value}]"'


MODULES = {
    Extra.DAPHNE: "daphne",
    Extra.REDIS: "redis",
    Extra.DRAFTS: "cryptography",
    Extra.METRICS: "prometheus_client",
    Extra.DEVICES: "ua_parser",
    Extra.DOCTOR: "websockets",
    Extra.BROWSER: "playwright",
}
"""The module that each extra brings."""


@cache
def is_installed(extra: Extra) -> bool:
    """Return whether the module of an extra is installed; looked up once in a process."""
    return find_spec(MODULES[extra]) is not None
