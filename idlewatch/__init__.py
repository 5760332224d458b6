"""Watch the sessions of a Django site in real time: warn before one ends, end it everywhere at once, and say why."""

from typing import TYPE_CHECKING, Any

from idlewatch.decorators import active, passive

if TYPE_CHECKING:
    from idlewatch.http.credential_change import offer_to_end_others
    from idlewatch.http.sign_in import mark_impersonation

__all__ = ["active", "mark_impersonation", "offer_to_end_others", "passive"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    # Django imports the package before the models that these need are there.
    if name == "offer_to_end_others":
        from idlewatch.http.credential_change import offer_to_end_others  # noqa: PLC0415

        return offer_to_end_others
    if name == "mark_impersonation":
        from idlewatch.http.sign_in import mark_impersonation  # noqa: PLC0415

        return mark_impersonation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
