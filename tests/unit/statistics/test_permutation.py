from itertools import product

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from hodograph.statistics.permutation import adjusted, sign_flip


def by_hand(differences):
    """Two-sided: twice the smaller share of patterns at or beyond the observed mean."""
    means = [
        np.mean(np.multiply(signs, differences))
        for signs in product((1, -1), repeat=len(differences))
    ]
    seen, slack = np.mean(differences), 1e-12
    above = np.mean([mean >= seen - slack for mean in means])
    below = np.mean([mean <= seen + slack for mean in means])
    return min(1.0, 2 * min(above, below))


@pytest.mark.parametrize("layers", [2, 3, 6, 9])
def test_few_layers_are_enumerated(layers):
    differences = np.random.default_rng(layers).normal(0.4, 1, layers)
    found = sign_flip(differences, seed=0)
    assert found.exact
    assert found.p == pytest.approx(by_hand(differences), abs=1e-12)
    assert found.mean == pytest.approx(differences.mean())


@pytest.mark.parametrize("layers", [3, 8, 12])
def test_a_difference_of_one_sign_gives_the_least_p(layers):
    found = sign_flip(np.linspace(1, 2, layers), seed=0)
    assert found.exact
    assert found.p == found.least_p == 2 / 2**layers


def test_many_layers_are_drawn_and_p_is_never_zero():
    found = sign_flip(np.linspace(1, 2, 30), seed=0)
    assert not found.exact
    assert found.p == pytest.approx(found.least_p) == pytest.approx(2 / 4097)
    assert sign_flip(np.linspace(1, 2, 30), seed=0) == found


@pytest.mark.parametrize("layers", [10, 24])
def test_the_null_is_rejected_at_its_nominal_rate(layers):
    generator = np.random.default_rng(1)
    p_values = np.array([sign_flip(generator.normal(size=layers), i).p for i in range(600)])
    for level in (0.05, 0.2):
        error = 4 * (level * (1 - level) / len(p_values)) ** 0.5
        assert np.mean(p_values <= level) == pytest.approx(level, abs=error)


def test_a_planted_effect_is_found():
    generator = np.random.default_rng(2)
    found = [sign_flip(generator.normal(1.0, 1, 16), i).p < 0.05 for i in range(100)]
    assert np.mean(found) > 0.85  # the t test of this effect has power .96


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_unit_does_not_matter(scale):
    differences = np.random.default_rng(3).normal(size=8)
    assert sign_flip(differences * scale, 0).p == sign_flip(differences, 0).p


def test_what_cannot_be_tested_has_no_p():
    assert sign_flip([0.3], 0).p is None
    assert sign_flip([0.0, 0.0, 0.0], 0).p is None
    assert sign_flip([], 0).layers == 0


def test_adjusted_by_hand_and_without_the_untested():
    # sorted .01 .02 .03 .5: times 4/1, 4/2, 4/3, 4/4, then the running minimum from above
    assert adjusted([0.03, None, 0.01, 0.5, 0.02]) == pytest.approx(
        [0.04, None, 0.04, 0.5, 0.04], abs=1e-12
    )
    assert adjusted([None]) == [None]


@pytest.mark.parametrize("count", [1, 2, 7, 210])
def test_adjusted_is_scipys(count):
    p_values = np.random.default_rng(count).uniform(size=count).round(2)  # with ties
    assert adjusted(p_values) == list(false_discovery_control(p_values, method="bh"))


def test_false_discoveries_are_held():
    """90 nulls and 10 strong effects: the mean share of false discoveries stays below q = .1."""
    generator = np.random.default_rng(4)
    shares = []
    for _ in range(200):
        p_values = [*generator.uniform(size=90), *generator.uniform(0, 1e-4, size=10)]
        found = [i for i, q in enumerate(adjusted(p_values)) if q is not None and q <= 0.1]
        assert set(range(90, 100)) <= set(found)
        shares.append(sum(i < 90 for i in found) / len(found))
    assert np.mean(shares) < 0.12
