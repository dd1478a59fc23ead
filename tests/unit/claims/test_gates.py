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


CONTROLLED = Gates(arm="opd", control="coin")
FAILED = {"norm": 0.03, "per_token": 0.2, "deviation": 0.2}
PASSED = "undetermined (coin passes it too)"


@pytest.mark.parametrize(
    ("coin", "expected"),
    [
        (FAILED, "undetermined (coin passes it too)"),  # energy above that of one coefficient
        (FAILED | {"shared": 0.3}, "holds"),
        (FAILED | {"shared": 0.3, "norm": 0.006}, PASSED),
        (FAILED | {"shared": 0.3, "per_token": 0.05}, PASSED),
        (FAILED | {"shared": 0.3, "deviation": 0.01}, PASSED),
        (FAILED | {"shared": 0.3, "deviation": 0.05},
         "undetermined (whether coin passes it too: the interval reaches across the threshold)"),
    ],
)  # fmt: skip
def test_what_the_control_passes_too_says_nothing(coin, expected):
    assert verdict(CONTROLLED, evidence(opd=gates(), coin=gates(**coin))) == expected


def test_a_gate_that_fails_fails_whatever_the_control_does():
    assert verdict(CONTROLLED, evidence(opd=gates(norm=0.03), coin=gates())) == "does not hold"


def test_the_row_names_the_control_and_its_numbers():
    found = evidence(opd=gates(), coin=gates(**FAILED | {"shared": 0.3, "norm": 0.01}))
    row = CONTROLLED.row(CONTROLLED.finding(found))
    assert row.reason.startswith("I: norm within its bound: undetermined (coin passes it too); ")
    assert "coin I, norm − bound −0.990 %" in row.null
    assert row.nulls[-1].what == "III, deviation, coin"
    assert CONTROLLED.arms_named == ("opd", "coin")


def test_a_control_that_was_not_measured_leaves_the_gates_untested():
    alone = CONTROLLED.finding(evidence(opd=gates()))
    assert alone.notes == ("the gates of coin were not measured: any update may pass",)
    coin = gates(**FAILED | {"per_token": None})
    half = evidence(opd=gates(), coin=coin)
    assert verdict(CONTROLLED, half) == "holds"
    assert CONTROLLED.finding(half).notes == (
        "II: energy below chance: not measured of coin",
        "II: relaxed by per-token coefficients: not measured of coin",
    )


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
