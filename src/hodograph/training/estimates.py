"""What several samples of each prompt tell: avg@k and pass@k, with standard errors over prompts.

P prompts, n samples of each, c of them right.
"""

from collections.abc import Sequence
from math import comb
from statistics import fmean, stdev

Scores = Sequence[Sequence[float]]


def pass_at(n: int, c: int, k: int) -> float:
    """Probability that one of k samples is right, estimated from c right ones of n.

    1 - C(n - c, k) / C(n, k), unbiased for k up to n (Chen et al., 2021, arXiv 2107.03374).
    """
    return 1 - comb(n - c, k) / comb(n, k)


def standard_error(scores: Sequence[float]) -> float:
    """Standard error of the mean; 0 for a single score."""
    return stdev(scores) / len(scores) ** 0.5 if len(scores) > 1 else 0.0


def sampled_estimates(scores_PN: Scores, pass_ks: Sequence[int]) -> dict[str, float]:
    """Return avg@n and pass@k for each k, with their standard errors.

    Prompts are the unit: the samples of one prompt are not independent of each other. A sample
    passes where its score is 1, the most a verifier gives; avg@n is the mean of the scores.

    Args:
        scores_PN: the verifier's scores, n of each prompt.
        pass_ks: each k, at most n.
    """
    n = len(scores_PN[0])
    found = _with_error(f"avg_at_{n}", [fmean(scores) for scores in scores_PN])
    for k in pass_ks:
        right = [sum(score >= 1 for score in scores) for scores in scores_PN]
        found |= _with_error(f"pass_at_{k}", [pass_at(n, c, k) for c in right])
    return found


def _with_error(name: str, values: list[float]) -> dict[str, float]:
    return {name: fmean(values), f"{name}_standard_error": standard_error(values)}
