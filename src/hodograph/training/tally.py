"""Means over the tokens of a step, however it is split into micro-batches."""

from collections import defaultdict

from torch import Tensor


class Tally:
    """Adds up sums and counts, and hands out their means once a step is over."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, name: str, values: Tensor, weights: Tensor) -> None:
        """Count `values` with `weights`, tensors of one shape."""
        entry = self._sums[name]
        entry[0] += float((values * weights).sum())
        entry[1] += float(weights.sum())

    def drain(self) -> dict[str, float]:
        """Return the weighted means and start anew; names ending in `rms` get their root."""
        means = {name: total / count for name, (total, count) in self._sums.items() if count}
        self._sums.clear()
        return {k: mean**0.5 if k.endswith("rms") else mean for k, mean in means.items()}
