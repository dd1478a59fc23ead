"""The compiled loops of `loops`, loaded when the first is called.

Loading takes half a second, and the process that only hands out work calls none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hodograph.matrices.loops import (
        count_changes,
        count_lower,
        count_magnitudes,
        count_moves,
        count_steps,
        count_upper,
        count_wide_changes,
        gather,
        grade_keys,
        mark_cells,
        mark_changes,
        shuffle,
        shuffle_back,
    )

__all__ = [
    "count_changes",
    "count_lower",
    "count_magnitudes",
    "count_moves",
    "count_steps",
    "count_upper",
    "count_wide_changes",
    "gather",
    "grade_keys",
    "mark_cells",
    "mark_changes",
    "shuffle",
    "shuffle_back",
]


def __getattr__(name: str) -> Any:
    """Compile the loops, or take them from where they are kept."""
    if name in __all__:
        return getattr(import_module("hodograph.matrices.loops"), name)
    raise AttributeError(f"module 'hodograph.matrices.kernels' has no attribute {name!r}")
