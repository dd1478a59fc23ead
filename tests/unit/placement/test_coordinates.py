import json
import math

import pytest

from hodograph.errors import StorageError
from hodograph.placement.coordinates import COORDINATES, distance, incomparable, read_arm
from planted.measurement import measurement_rows, write_measurement


def measured(folder, size=1.0, rows=None, **summary):
    rows = rows or measurement_rows(steps=(50, 100), size=size)
    settings = {"angle_k": 512, "mask_rank": 64} | summary.pop("settings", {})
    return write_measurement(folder, rows, settings=settings, **summary)


def test_the_last_step_as_stored_is_read(tmp_path):
    arm = read_arm(measured(tmp_path / "m"))
    assert (arm.step, arm.storage, arm.scope) == (100, "float32", "linear")
    rows = [r for r in measurement_rows(steps=(50, 100)) if r["step"] == 100]
    stored = [r for r in rows if r["storage"] == "float32"]
    mean = sum(r["relative_norm"] for r in stored) / len(stored)
    assert arm.values["relative_norm"] == pytest.approx(mean)
    weights = [r["rows"] * r["cols"] for r in stored]
    weighted = sum(w * r["update_sparsity"] for w, r in zip(weights, stored, strict=True))
    assert arm.values["update_sparsity"] == pytest.approx(weighted / sum(weights))
    assert arm.nulls["update_sparsity"] == pytest.approx(arm.values["update_sparsity"] + 0.002)


def test_distance_is_zero_to_itself_and_symmetric(tmp_path):
    one, other = read_arm(measured(tmp_path / "a")), read_arm(measured(tmp_path / "b", size=2.0))
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert distance(one, other) > 0


def test_distance_by_hand(tmp_path):
    """Everything but relative norm, angles, NSS and density is planted equal."""
    one, other = read_arm(measured(tmp_path / "a")), read_arm(measured(tmp_path / "b", size=2.0))
    density = [1 - arm.values["update_sparsity"] for arm in (one, other)]
    doubled = ["relative_norm", "angle_right_mean", "nss"]
    for name in doubled:
        assert other.values[name] == pytest.approx(2 * one.values[name])
    total = len(doubled) * math.log(2) ** 2 + math.log(density[0] / density[1]) ** 2
    assert distance(one, other) == pytest.approx(math.sqrt(total / len(COORDINATES)))


@pytest.mark.parametrize(
    ("changed", "names", "reason"),
    [
        ({"digest": "other"}, set(COORDINATES), "another W0"),
        ({"scope": "attention"}, set(COORDINATES), "scope attention, here linear"),
        ({"settings": {"angle_k": 8}}, {"angle_left_mean", "angle_right_mean"}, "angle_k 8"),
        ({"settings": {"mask_rank": 8}}, {"overlap_principal_30"}, "mask_rank 8"),
    ],
)
def test_what_cannot_be_compared_and_why(tmp_path, changed, names, reason):
    mine, other = read_arm(measured(tmp_path / "a")), read_arm(measured(tmp_path / "b", **changed))
    found = incomparable(mine, other)
    assert set(found) == names
    assert all(text.startswith(reason) for text in found.values())
    if names == set(COORDINATES):
        assert distance(mine, other) is None


def test_two_storages_share_what_is_defined_on_bfloat16(tmp_path):
    rows = measurement_rows(steps=(100,), storages=("bfloat16",))
    mine = read_arm(measured(tmp_path / "a"))
    found = incomparable(mine, read_arm(measured(tmp_path / "b", rows=rows)))
    assert "update_sparsity" not in found
    assert "overlap_low_30" not in found
    assert found["stable_rank"] == "seen in bfloat16, here in float32"


@pytest.mark.parametrize(
    ("objective", "kind"),
    [
        ({"type": "sft"}, "SFT"),
        ({"type": "opd"}, "OPD"),
        ({"type": "rlvr", "reward": "verifier"}, "RLVR"),
        ({"type": "rlvr", "reward": "random"}, "control"),
    ],
)
def test_the_recipe_beside_a_measurement_tells_its_kind(tmp_path, objective, kind):
    measured(tmp_path / "run" / "measurement")
    (tmp_path / "run" / "recipe.json").write_text(json.dumps({"objective": objective}))
    assert read_arm(tmp_path / "run").kind == kind
    assert read_arm(tmp_path / "run" / "measurement").kind == kind


def test_a_kind_nobody_tells_is_unknown(tmp_path):
    assert read_arm(measured(tmp_path / "m")).kind is None
    assert read_arm(tmp_path / "m", "OPD").kind == "OPD"


def test_what_is_no_measurement_is_one_clear_error(tmp_path):
    with pytest.raises(StorageError, match="no finished measurement"):
        read_arm(tmp_path)
    (tmp_path / "run").mkdir()
    measured(tmp_path / "run" / "measurement")
    (tmp_path / "run" / "recipe.json").write_text("{}")
    with pytest.raises(StorageError, match="--against opd=FOLDER"):
        read_arm(tmp_path / "run")
    folder = measured(tmp_path / "old")
    summary = json.loads((folder / "summary.json").read_text())
    del summary["scope"]
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(StorageError, match="not as expected at scope"):
        read_arm(folder)
