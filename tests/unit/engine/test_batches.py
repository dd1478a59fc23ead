"""Which parameters are measured together, and what of memory that takes."""

import random

import pytest

from hodograph.engine.batch import Batch, members_of
from hodograph.engine.batches import LARGEST, MOST, MOST_BYTES, batched
from hodograph.engine.plan import memory_of
from hodograph.engine.settings import Settings
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block

GPU = Settings(device="cuda")


def parameter(name, *shapes, checkpoints=1, spectral=True):
    blocks = tuple(Block("gate_proj", 0, m, n, False, spectral) for m, n in shapes)
    entries = sum(m * n for m, n in shapes)
    return Parameter(name, (name,) * checkpoints, Role(0, "gate_proj"), blocks, entries)


def experts(count, checkpoints=1):
    """One layer: gate and up are 768 x 2048, down is 2048 x 768."""
    return [
        parameter(f"experts.{i}.{kind}", shape, checkpoints=checkpoints)
        for i in range(count)
        for kind, shape in (("gate", (768, 2048)), ("up", (768, 2048)), ("down", (2048, 768)))
    ]


@pytest.mark.parametrize("checkpoints", [1, 10])
@pytest.mark.parametrize("also_bf16", [False, True])
def test_experts_are_measured_together_within_the_bounds(checkpoints, also_bf16):
    settings = Settings(device="cuda", also_bf16=also_bf16)
    units = batched(experts(128, checkpoints), settings)
    assert all(isinstance(unit, Batch) for unit in units)
    assert max(len(unit.blocks) for unit in units) <= MOST
    assert max(memory_of(unit, settings) for unit in units) <= MOST_BYTES
    assert len(units[0].members) > 5
    if checkpoints == 1 and not also_bf16:
        assert memory_of(units[0], settings) > MOST_BYTES / 2


def test_every_parameter_is_measured_once_and_the_order_given_does_not_matter():
    given = [*experts(50), parameter("q", (4096, 4096)), parameter("norm", (1, 64), spectral=False)]
    units = batched(given, GPU)
    members = [member for unit in units for member in members_of(unit)]
    assert sorted(one.name for one in members) == sorted(one.name for one in given)
    assert len(members) == len(given)
    shuffled = random.Random(0).sample(given, len(given))
    assert batched(shuffled, GPU) == units
    assert len({unit.name for unit in units}) == len(units)


def test_a_batch_is_the_sum_of_its_members():
    (unit,) = batched(experts(2), GPU)
    assert unit.entries == 6 * 768 * 2048
    assert [(b.rows, b.cols) for b in unit.blocks].count((2048, 768)) == 2
    alone = memory_of(experts(1)[0], GPU)
    assert memory_of(unit, GPU) == 6 * alone


def test_parts_of_one_parameter_are_a_batch_where_they_are_of_one_kind_and_small():
    (qkv,) = batched([parameter("c_attn", (768, 768), (768, 768), (768, 768))], GPU)
    assert isinstance(qkv, Batch)
    assert qkv.name == "c_attn"
    assert len(qkv.members) == 1
    assert memory_of(qkv, GPU) == 3 * memory_of(parameter("q", (768, 768)), GPU)


@pytest.mark.parametrize(
    "alone",
    [
        parameter("large", (LARGEST + 1, 4096)),
        parameter("one row", (1, 4096)),
        parameter("router", (64, 64), spectral=False),
        parameter("one is large", (768, 768), (2048, 768), (2048, 2048)),
    ],
    ids=lambda one: one.name,
)
def test_others_are_units_of_their_own(alone):
    again = parameter(f"{alone.name}, again", *[(b.rows, b.cols) for b in alone.blocks],
                      spectral=alone.blocks[0].spectral)  # fmt: skip
    assert batched([alone, again], GPU) == [alone, again]


def test_only_one_of_a_shape_is_no_batch():
    lone = parameter("q", (768, 2048))
    assert batched([lone, *experts(0)], GPU) == [lone]


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(device="cuda", exact=True), Settings(device="cuda", only="sparsity")],
    ids=["cpu", "exact", "sparsity"],
)
def test_nothing_is_batched_where_nothing_is_gained(settings):
    given = experts(3)
    assert batched(given, settings) == given
