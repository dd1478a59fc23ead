import numpy as np
import pytest
import torch

from hodograph.diagnostics.masks import edges_of, graded, graded_magnitudes, low_keys, masks_of
from hodograph.linalg.factor import factor
from hodograph.matrices.precision import to_bfloat16


def member(masks, name):
    return masks.weights[name][masks.cell_E]


def by_sorting(scores, share):
    """Membership by its definition: sort, count, and split the tie at the edge."""
    wanted = round(share * scores.size)
    edge = np.sort(scores.ravel())[wanted - 1]
    below, tied = scores < edge, scores == edge
    return (below + tied * (wanted - below.sum()) / tied.sum()).ravel()


@pytest.mark.parametrize("shape", [(40, 30), (300, 50), (3, 2)])
@pytest.mark.parametrize("alpha", [30, 50])
def test_masks_are_those_of_sorting(shape, alpha):
    base = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 0.02
    factors = factor(base, 4)
    masks = masks_of(base, factors, rank=2)
    low = to_bfloat16(base).abs().numpy()
    assert member(masks, f"low_{alpha}") == pytest.approx(by_sorting(low, alpha / 100))
    top = factors.leading(2)
    part = ((top.u_MK * top.sigma_R[:2]) @ top.v_NK.T).abs().float().numpy()
    expected = by_sorting(-part, alpha / 100)
    assert member(masks, f"principal_{alpha}") == pytest.approx(expected)


def test_exactly_the_share_is_taken_and_ties_split_evenly():
    keys = np.array([3, 1, 1, 1, 0, 2, 5, 5, 5, 5], np.int32)
    grades, (thirty, fifty) = graded(keys)  # 3 and 5 of 10 entries
    assert thirty[grades].tolist() == pytest.approx([0, 2 / 3, 2 / 3, 2 / 3, 1, 0, 0, 0, 0, 0])
    assert fifty[grades].tolist() == pytest.approx([0, 1, 1, 1, 1, 1, 0, 0, 0, 0])


def test_one_edge_for_both_shares():
    keys = np.full(10, 7, np.int32)
    grades, (thirty, fifty) = graded(keys)
    assert thirty[grades].sum() == pytest.approx(3)
    assert fifty[grades].sum() == pytest.approx(5)


@pytest.mark.parametrize("entries", [1, 2, 10, 5000])
def test_magnitudes_are_graded_as_the_entries_that_have_them(entries):
    base = torch.randn(1, entries, generator=torch.Generator().manual_seed(entries)) * 0.02
    base[0, ::7] = 0
    keys = low_keys(base)
    by_entry, memberships = graded(keys)
    by_magnitude, others = graded_magnitudes(np.bincount(keys, minlength=1 << 15))
    assert np.array_equal(by_magnitude[keys], by_entry)
    assert np.array_equal(memberships, others)


def test_memory_order_does_not_matter():
    keys = np.random.default_rng(0).integers(0, 1 << 31, 5000, dtype=np.int32) >> 20
    order = np.random.default_rng(1).permutation(len(keys))
    grades, (thirty, _) = graded(keys)
    shuffled, (other, _) = graded(keys[order])
    assert np.array_equal(other[shuffled], thirty[grades][order])


@pytest.mark.parametrize("wanted", [1, 2, 500, 999, 1000])
def test_edge_is_the_order_statistic(wanted):
    keys = np.random.default_rng(2).integers(0, np.iinfo(np.int32).max, 1000, dtype=np.int32)
    (edge, share), nothing = edges_of(keys, [wanted, 0])
    assert edge == np.sort(keys)[wanted - 1]
    assert share == 1.0
    assert nothing == (-1, 0.0)


@pytest.mark.parametrize("spread", [1, 1 << 12, 1 << 17, 1 << 31])
def test_edges_of_many_keys_are_order_statistics_however_close_they_lie(spread):
    keys = np.random.default_rng(3).integers(0, spread, 70001).astype(np.int32)
    ordered = np.sort(keys)
    for wanted in (1, 63, 20000, 69999, 70001):
        ((edge, share),) = edges_of(keys, [wanted])
        below, tied = np.searchsorted(ordered, [edge, edge + 1])
        assert edge == ordered[wanted - 1]
        assert share == (wanted - below) / (tied - below)


def test_the_principal_mask_is_cut_from_the_leading_part_only():
    leading = torch.zeros(20, 20)
    leading[:10, :10] = 1.0
    noise = torch.randn(20, 20, generator=torch.Generator().manual_seed(0)) * 0.1
    masks = masks_of(leading + noise, factor(leading + noise, 20), rank=1)
    inside = member(masks, "principal_30").reshape(20, 20)[:10, :10]
    assert float(inside.sum()) == pytest.approx(100, abs=1)
