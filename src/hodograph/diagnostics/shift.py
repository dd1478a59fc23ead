"""G4: how far the spectrum drifts."""

from typing import Any

from jaxtyping import Float
from torch import Tensor


def spectral_shift(
    base_sigma_R: Float[Tensor, " R"],
    tuned_sigma_R: Float[Tensor, " R"],
    relative_norm: float | None,
    longer_side: int,
) -> dict[str, Any]:
    """Normalized spectral shift ‖sigma(W1) - sigma(W0)‖ / ‖sigma(W0)‖, and what none would give.

    An isotropic update of the same norm gives about relative_norm / sqrt(max(m, n)).
    """
    base_norm = float(base_sigma_R.norm())
    if base_norm == 0 or relative_norm is None:
        return {}
    nss = float((tuned_sigma_R - base_sigma_R).norm()) / base_norm
    return {
        "nss": nss,
        "nss_per_relative_norm": nss / relative_norm if relative_norm > 0 else None,
        "nss_null": relative_norm / longer_side**0.5,
    }
