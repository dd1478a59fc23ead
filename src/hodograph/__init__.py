"""hodograph: measure, train and study the path a language model's weights take."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hodograph.measurement import Measurement, measure, plan_measurement

__all__ = ["Measurement", "measure", "plan_measurement"]


def __getattr__(name: str) -> Any:
    """Load the measuring side, and torch with it, only when it is asked for."""
    if name in __all__:
        from hodograph import measurement

        return getattr(measurement, name)
    raise AttributeError(f"module 'hodograph' has no attribute {name!r}")
