"""Watch the sessions of a Django site in real time: warn before one ends, end it everywhere at once, and say why."""

from typing import TYPE_CHECKING, Any

from idlewatch.decorators import active, passive

if TYPE_CHECKING:
    from idlewatch.http.credential_change import offer_to_end_others

__all__ = ["active", "offer_to_end_others", "passive"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    # Django imports the package before the models that this one needs are there.
    if name == "offer_to_end_others":
        from idlewatch.http.credential_change import offer_to_end_others  # noqa: PLC0415

        return offer_to_end_others
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
