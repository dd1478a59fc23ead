"""G12: where a measurement lies among the user's own arms and published runs; no fitted model."""

from hodograph.placement.place import Placement, place

__all__ = ["Placement", "place"]
