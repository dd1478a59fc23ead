"""The three gates, each with planted numbers."""

import json

import pytest

from hodograph.claims.evidence import Trained, read_evidence
from hodograph.claims.gates import Gates
from hodograph.errors import StorageError
from planted.claims import evidence, verdict

PART = Gates(arm="opd")
KEPT = {"norm": 0.006, "bound": 0.02, "per_token": 0.05, "shared": 0.03, "isotropic": 0.125,
        "inputs": 0.11, "deviation": 0.01}  # fmt: skip


def gates(noise=0.01, **changed):
    """A run's gates.json by seed; every number but the bound and chance varies a little."""

    def value(name, seed):
        planted = KEPT | changed
        moves = name not in ("bound", "isotropic") and planted[name] is not None
        return {"value": planted[name] * (1 + noise * seed) if moves else planted[name]}

    return {
        seed: Trained(
            gates={
                "gates": {
                    "I": {"relative_norm": value("norm", seed), "bound": value("bound", seed)},
                    "II": {
                        "principal_energy": {
                            kind: value(kind, seed) for kind in ("per_token", "shared")
                        },
                        "isotropic": value("isotropic", seed),
                        "inputs": value("inputs", seed),
                    },
                    "III": {"deviation": value("deviation", seed), "null": {"value": 0.002}},
                }
            }
        )
        for seed in range(3)
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "holds"),
        ({"norm": 0.03}, "does not hold"),
        ({"per_token": 0.2}, "does not hold"),
        ({"shared": 0.08}, "does not hold"),
        ({"deviation": 0.2}, "does not hold"),
        ({"inputs": 0.055}, "holds, explained by inputs"),
        ({"inputs": 0.0645}, "undetermined (whether the inputs explain it: the interval reaches "
                             "across the threshold)"),
        ({"norm": 0.02, "noise": 0.001},
         "undetermined (the interval reaches across the threshold)"),
        ({"per_token": None}, "undetermined (gate II.principal_energy.per_token is not defined)"),
    ],
)  # fmt: skip
def test_each_gate_decides(changed, expected):
    assert verdict(PART, evidence(opd=gates(**changed))) == expected


def test_the_row_names_the_gate_and_what_stands_beside():
    row = PART.row(PART.finding(evidence(opd=gates(per_token=0.2))))
    assert row.reason.startswith("II: energy below chance: does not hold")
    assert "chance 12.5 %" in row.null
    assert row.ours.startswith("norm 0.606 %, energy 20.2 %")


def test_gates_that_were_not_measured_are_said():
    assert verdict(PART, evidence(opd={0: Trained()})) == "undetermined (gates were not measured)"
    one = evidence(opd={0: gates()[0]})
    assert verdict(PART, one) == "undetermined (one seed)"


def test_they_are_read_where_the_study_says(tmp_path):
    runs = []
    for seed, one in gates().items():
        folder = tmp_path / f"seed_{seed}" / "opd" / "gates"
        folder.mkdir(parents=True)
        (folder / "gates.json").write_text(json.dumps(one.gates))
        at = str(folder.relative_to(tmp_path))
        runs.append({"name": "opd", "role": "arm", "seed": seed, "gates": at})
    (tmp_path / "study.json").write_text(json.dumps({"name": "small", "runs": runs}))
    assert verdict(PART, read_evidence(tmp_path, {"opd"})) == "holds"
    (folder / "gates.json").write_text("{")
    with pytest.raises(StorageError, match=r"gates\.json: not valid JSON"):
        read_evidence(tmp_path, {"opd"})
