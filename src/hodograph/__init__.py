"""hodograph: measure, train and study the path a language model's weights take."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hodograph.comparison import Comparison, compare
    from hodograph.measurement import Measurement, measure, plan_measurement
    from hodograph.monitor import Monitor
    from hodograph.placement import Placement, place
    from hodograph.sharding import Shard, measure_shard, merge

__all__ = [
    "Comparison",
    "Measurement",
    "Monitor",
    "Placement",
    "Shard",
    "compare",
    "measure",
    "measure_shard",
    "merge",
    "place",
    "plan_measurement",
]
_MODULES = {
    "Comparison": "comparison",
    "Measurement": "measurement",
    "Monitor": "monitor",
    "Placement": "placement",
    "Shard": "sharding",
    "compare": "comparison",
    "measure": "measurement",
    "measure_shard": "sharding",
    "merge": "sharding",
    "place": "placement",
    "plan_measurement": "measurement",
}


def __getattr__(name: str) -> Any:
    """Load the measuring side, and torch with it, only when it is asked for."""
    if name in _MODULES:
        return getattr(import_module(f"hodograph.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'hodograph' has no attribute {name!r}")
