"""G8: intruder dimensions, leading singular vectors of W1 that W0 does not know.

M rows, N columns, R = min(M, N), K leading vectors of W1.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from hodograph.linalg.factors import Factors
from hodograph.tables.pairs import INTRUDER_COSINE, INTRUDER_TOP


def intruders(base: Factors, tuned: Factors, run: str) -> dict[str, Any]:
    """Count the top singular vectors of W1 that are like none of W0's, and their energy.

    A vector intrudes where its |cosine| to every one of W0's R singular vectors is below 0.5
    (Shuttleworth et al., arXiv 2410.21228).

    Args:
        base: W0's factors, with all R vectors.
        tuned: W1's factors, with at least min(10, R) vectors.
        run: "a" or "b", the end of the columns' names.
    """
    top = tuned.leading(INTRUDER_TOP)
    energy_R = tuned.sigma_R.square()
    total = float(energy_R.sum())
    columns: dict[str, Any] = {"intruder_top": top.kept}
    sides = {"left": (base.u_MK, top.u_MK), "right": (base.v_NK, top.v_NK)}
    for side, (known, leading) in sides.items():
        unlike_K = _best_cosine(known, leading) < INTRUDER_COSINE
        carried = float(energy_R[: top.kept][unlike_K].sum())
        columns[f"intruders_{side}_{run}"] = int(unlike_K.sum())
        columns[f"intruder_energy_{side}_{run}"] = carried / total if total > 0 else None
    return columns


def _best_cosine(
    known_NR: Float[Tensor, "N R"], leading_NK: Float[Tensor, "N K"]
) -> Float[Tensor, " K"]:
    return (known_NR.T @ leading_NK).abs().amax(dim=0)
