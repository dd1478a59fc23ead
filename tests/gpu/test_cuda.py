"""On a CUDA device: the CPU's factors within their bounds, the CPU's rows, and equal repeats.

One by one and in batches, within the memory that the plan says.
"""

import pandas as pd
import pytest
import torch

from hodograph import compare, measure
from hodograph.checkpoints import open_trajectory
from hodograph.engine.batch import Batch
from hodograph.engine.batches import batched
from hodograph.engine.plan import memory_of
from hodograph.engine.settings import Settings
from hodograph.engine.worker import measure_parameter
from hodograph.linalg.certificates import subspace_error
from hodograph.linalg.factor import Wanted, factor, factor_many
from hodograph.linalg.low_rank import factor_product
from hodograph.linalg.subspaces import principal_angles
from hodograph.matrices.pairing import pair as paired

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def weights(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(*shape, generator=generator) * 0.02
    matrix[0] *= 10
    return matrix


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("shape", [(300, 700), (700, 300), (512, 512), (1, 40), (40, 1)])
def test_factors_are_the_cpus_within_their_bounds(shape, exact):
    matrix = weights(*shape)
    here, there = factor(matrix, 32), factor(matrix.cuda(), 32, exact=exact)
    error = (there.sigma_R.cpu() - here.sigma_R).abs()
    assert (error <= there.sigma_error_R.cpu() + here.sigma_error_R).all()
    assert there.method == ("svd" if exact or 1 in shape else "eigh")
    k = min(16, *shape)
    bound = subspace_error(here, k) + subspace_error(there, k)
    for side in ("u_MK", "v_NK"):
        mine, theirs = (getattr(found.leading(k), side) for found in (here, there))
        assert float(principal_angles(theirs.cpu(), mine)[0].max()) <= bound + 1e-10


@pytest.mark.parametrize("side", [48, 300, 768])
def test_a_batch_gives_the_cpus_factors_and_repeats(side):
    shapes = [(side, 2 * side), (2 * side, side)] * 4
    matrices = [weights(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    wanted = [Wanted(matrix.cuda(), 16) for matrix in matrices]
    found, again = factor_many(wanted), factor_many(wanted)
    for matrix, there, repeated in zip(matrices, found, again, strict=True):
        here = factor(matrix, 16)
        error = (there.sigma_R.cpu() - here.sigma_R).abs()
        assert (error <= there.sigma_error_R.cpu() + here.sigma_error_R).all()
        assert there.method == "eigh"
        bound = subspace_error(here, 8) + subspace_error(there, 8)
        for name in ("u_MK", "v_NK"):
            mine, theirs = (getattr(one.leading(8), name) for one in (here, there))
            assert float(principal_angles(theirs.cpu(), mine)[0].max()) <= bound + 1e-10
            assert torch.equal(getattr(there, name), getattr(repeated, name))


def test_angles_and_products_are_the_cpus():
    base, tuned = (
        factor(weights(300, 200) + move, 50) for move in (0, 1e-3 * weights(300, 200, seed=1))
    )
    here, error = principal_angles(base.u_MK, tuned.u_MK)
    there, bound = principal_angles(base.u_MK.cuda(), tuned.u_MK.cuda())
    assert float((there.cpu() - here).abs().max()) <= error + bound < 1e-7
    left, right = weights(300, 8), weights(8, 200, seed=2)
    here, there = factor_product(left, right, 8), factor_product(left.cuda(), right.cuda(), 8)
    error = (there.sigma_R.cpu() - here.sigma_R).abs()
    assert (error <= there.sigma_error_R.cpu() + here.sigma_error_R).all()


@pytest.fixture
def pair(tmp_path, write_checkpoint):
    base = {
        f"model.layers.{i}.self_attn.q_proj.weight": weights(256, 128, seed=i) for i in range(4)
    }
    moved = {name: w + 1e-4 * weights(256, 128, seed=9) for name, w in base.items()}
    return [write_checkpoint(tmp_path / n, t) for n, t in (("step_0", base), ("step_1", moved))]


def test_rows_are_the_cpus_and_repeat(pair):
    here = measure(*pair).matrices
    there = measure(*pair, device="cuda")
    again = measure(*pair, device="cuda").matrices
    pd.testing.assert_frame_equal(there.matrices, again, check_exact=True)
    assert there.matrices["method"].unique().tolist() == ["eigh"]
    assert there.summary["versions"]["device"].startswith("cuda, ")
    for name in ("nss", "stable_rank", "angle_left_mean", "principal_energy_16", "sim16_chance"):
        assert there.matrices[name].to_list() == pytest.approx(here[name].to_list(), rel=1e-6)
    for name in ("update_sparsity", "overlap_low_30", "update_sparsity_null"):
        assert there.matrices[name].equals(here[name])


@pytest.fixture
def experts(tmp_path, write_checkpoint):
    """As many small matrices as two batches take."""
    base = {
        f"model.layers.{layer}.mlp.experts.{i}.{name}.weight": weights(*shape, seed=3 * i + layer)
        for layer in range(2)
        for i in range(8)
        for name, shape in (("gate_proj", (192, 512)), ("up_proj", (192, 512)),
                            ("down_proj", (512, 192)))
    }  # fmt: skip
    moved = {name: w + 1e-4 * weights(*w.shape, seed=9) for name, w in base.items()}
    folder = tmp_path / "experts"
    return [write_checkpoint(folder / n, t) for n, t in (("step_0", base), ("step_1", moved))]


def test_experts_in_batches_have_the_cpus_rows_and_repeat(experts):
    here = measure(*experts).matrices
    there, again = (measure(*experts, device="cuda").matrices for _ in range(2))
    pd.testing.assert_frame_equal(there, again, check_exact=True)
    assert there["method"].unique().tolist() == ["eigh"]
    assert there["parameter"].to_list() == here["parameter"].to_list()
    for name in ("nss", "stable_rank", "angle_left_mean", "principal_energy_16", "sim16_chance"):
        assert there[name].to_list() == pytest.approx(here[name].to_list(), rel=1e-6)


def test_a_batch_and_its_members_take_no_more_than_planned(experts):
    trajectory, settings = open_trajectory(experts[0], experts[1:]), Settings(device="cuda")
    parameters, _ = paired(trajectory, "linear", "error")
    unit = batched(parameters, settings)[0]
    assert isinstance(unit, Batch)
    measure_parameter(unit, trajectory, settings)  # loads libraries, which keep memory
    for one in (unit, unit.members[0]):
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        measure_parameter(one, trajectory, settings)
        assert torch.cuda.max_memory_allocated() - before <= memory_of(one, settings)


def test_a_comparison_is_the_cpus(pair):
    runs = [*pair, pair[1]]
    here, there = compare(*runs).pairs, compare(*runs, device="cuda").pairs
    assert there["method"].unique().tolist() == ["eigh"]
    for name in ("nss_a", "stable_rank_b", "angle_left_mean_a", "sim16_right", "cosine"):
        assert there[name].to_list() == pytest.approx(here[name].to_list(), rel=1e-6)
    for name in ("mask_jaccard", "intruders_left_a", "sign_agreement"):
        assert there[name].equals(here[name])


@pytest.mark.skipif(
    torch.cuda.device_count() < 2 or torch.cuda.get_device_name(0) != torch.cuda.get_device_name(1),
    reason="no two CUDA devices of one model",
)
def test_two_devices_give_the_rows_of_one(pair, experts):
    for folders in (pair, experts):
        one, two = (measure(*folders, device="cuda", workers=n).matrices for n in (1, 2))
        pd.testing.assert_frame_equal(one, two, check_exact=True)
