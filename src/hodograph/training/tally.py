"""Means over the tokens of a step, however it is split into micro-batches and processes."""

from collections import defaultdict

from torch import Tensor

from hodograph.world import ALONE, World


class Tally:
    """Adds up sums and counts, and hands out their means once a step is over."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, name: str, values: Tensor, weights: Tensor) -> None:
        """Count `values` with `weights`, tensors of one shape."""
        entry = self._sums[name]
        entry[0] += float((values * weights).sum())
        entry[1] += float(weights.sum())

    def drain(self, world: World = ALONE) -> dict[str, float]:
        """Return the weighted means over all processes and start anew.

        Names ending in `rms` get their root. Every process must have counted the same names.
        """
        means = {}
        shares = world.gathered(dict(self._sums))
        for name in self._sums:
            total, count = (sum(share[name][i] for share in shares) for i in (0, 1))
            if count:
                means[name] = total / count
        self._sums.clear()
        return {k: mean**0.5 if k.endswith("rms") else mean for k, mean in means.items()}
