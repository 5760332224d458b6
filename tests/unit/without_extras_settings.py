"""The tests' site, in an environment that has none of the extras."""

from tests.support.settings import *  # noqa: F403

ROOT_URLCONF = "tests.support.http_site"
