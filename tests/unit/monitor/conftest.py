"""A session that tests of the monitor share."""

from __future__ import annotations

import pytest

from idlewatch.store.values import Watched
from tests.support.watches import sign_in_many


@pytest.fixture
def watched(db: None) -> Watched:
    return sign_in_many(1)[0]
