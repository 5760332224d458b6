"""The process section: the versions, the checks, the processes that answer, and their timers."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from django.core import checks

from idlewatch.conf.extras import Extra, is_installed
from idlewatch.doctor.findings import Finding, Trial, fault, ok, warning
from idlewatch.doctor.site import Site
from idlewatch.ops.self_report import versions


def examine(site: Site) -> Iterator[Finding]:
    """Look at the versions and the checks here, and at the processes that answer at the address."""
    yield _versions()
    yield from _checks()


def _versions() -> Finding:
    installed = ", ".join(f"{package} {version}" for package, version in versions().items())
    extras = ", ".join(extra.value for extra in Extra if is_installed(extra)) or "none"
    came = f"Python {platform.python_version()}, {installed}; extras: {extras}"
    return ok(Trial.VERSIONS, "Versions here", came, "any that the checks accept")


def _checks() -> Iterator[Finding]:
    found = [each for each in checks.run_checks(include_deployment_checks=True) if not each.is_silenced()]
    ours = [each for each in found if str(each.id).startswith("idlewatch.")]
    for each in ours:
        make = fault if each.level >= checks.ERROR else warning
        if each.level > checks.INFO:
            yield make(
                Trial.CHECKS,
                "manage.py check --deploy",
                f"{each.id}: {each.msg}",
                "no such finding",
                str(each.hint or ""),
            )
    if not any(each.level > checks.INFO for each in ours):
        others = len(found) - len(ours)
        came = "no finding of idlewatch" + (f", {others} of other apps" if others else "")
        yield ok(Trial.CHECKS, "manage.py check --deploy", came, "no finding of idlewatch")
