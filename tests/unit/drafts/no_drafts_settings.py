"""The tests' site, without drafts."""

from tests.support.settings import *  # noqa: F403
from tests.support.settings import INSTALLED_APPS as WITH_DRAFTS

INSTALLED_APPS = [app for app in WITH_DRAFTS if app != "idlewatch.drafts"]
ROOT_URLCONF = "tests.support.http_site"
