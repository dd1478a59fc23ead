"""An account of the gates whose numbers are known."""

from pathlib import Path
from typing import Any

from hodograph.tables.gates import GATE_COLUMNS, GATES
from hodograph.tables.store import MeasurementFolder, table_of


def _number(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": None if value is None else value / 2, "high": value}


def account(scale: float = 1.0, per_token: float | None = 4.0) -> dict[str, Any]:
    """Contents of gates.json.

    Args:
        scale: of the divergence.
        per_token: effective rank under a coefficient a token.
    """
    both = {"shared": _number(3.0), "per_token": _number(5.0)}
    curve = [
        {"exponent": 120, "entries": 995, "observed": 0.5, "predicted": 0.4, "permuted": 0.45},
        {"exponent": 90, "entries": 5, "observed": 1.0, "predicted": 0.0, "permuted": 0.0},
    ]
    return {
        "gates": {
            "step": 10,
            "I": {
                "kl_to_anchor": _number(0.02 * scale), "quadratic": {"value": 0.03},
                "null": {"value": 0.001, "se": 0}, "curvature_ratio": _number(20.0),
                "curvature_ratio_inputs": _number(9.0),
            },
            "II": {
                "effective_rank_shared": _number(2.0),
                "effective_rank_per_token": _number(per_token),
                "null": both, "signs": both, "principal_energy": both, "inputs": _number(0.2),
            },
            "III": {"deviation": _number(0.01), "null": _number(0.005), "curve": curve},
        }
    }  # fmt: skip


def write_account(folder: Path) -> None:
    """Write a finished account of one run."""
    MeasurementFolder(folder, "print", GATES).finish(table_of([], GATE_COLUMNS), account())
