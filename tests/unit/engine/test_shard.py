"""Units are dealt evenly and alike wherever they are dealt."""

import random

import pytest

from hodograph.engine.plan import longest
from hodograph.engine.shard import dealt
from hodograph.matrices.naming import Role
from hodograph.matrices.pairing import Parameter


def units(count):
    return [Parameter(f"w{i}", (f"w{i}",), Role(0, "q_proj"), (), 1) for i in range(count)]


@pytest.mark.parametrize("shards", [1, 2, 7, 64])
def test_every_unit_is_in_one_shard_and_shards_weigh_alike(shards):
    chance = random.Random(shards)
    costs = [chance.choice([1.0, 4.0, 14.0]) * chance.uniform(0.9, 1.1) for _ in range(640)]
    mine = units(len(costs))
    found = dealt(mine, costs, shards)
    assert sorted(unit.name for shard in found for unit in shard) == sorted(u.name for u in mine)
    cost = dict(zip((unit.name for unit in mine), costs, strict=True))
    heaviest = max(sum(cost[unit.name] for unit in shard) for shard in found)
    assert heaviest <= (4 / 3) * max(sum(costs) / shards, max(costs))
    assert heaviest == pytest.approx(longest(sorted(costs, reverse=True), shards))


def test_the_order_given_does_not_matter():
    mine, costs = units(9), [3.0, 1.0, 2.0, 2.0, 2.0, 1.0, 5.0, 1.0, 3.0]
    together = list(zip(mine, costs, strict=True))
    random.Random(0).shuffle(together)
    assert dealt(mine, costs, 3) == dealt(*map(list, zip(*together, strict=True)), 3)
