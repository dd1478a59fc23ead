"""Cells of a heat map that differ from their null, and cells in doubt."""

import numpy as np
import pandas as pd
import pytest

from hodograph.report.landscapes import found_cells, heat_map_figures, in_doubt
from hodograph.report.read import read_measurement
from planted.measurement import measurement_rows, write_measurement


def cells_of(z_LM, runs=1):
    """Rows of a measurement whose z is planted, layers down and two modules across."""
    rows = [
        {"layer": layer, "module": module, "overlap_low_30_z": z_LM[layer][place]}
        for layer in range(len(z_LM))
        for place, module in enumerate(("q_proj", "k_proj"))
    ]
    return pd.DataFrame(rows * runs)


def test_planted_cells_are_told_and_no_others():
    told = found_cells({"a": cells_of([[6.0, 0.3], [-0.5, -7.0]])}, "overlap_low_30_z")["a"]
    assert told.to_numpy().tolist() == [[True, False], [False, True]]


def test_the_family_is_all_panels():
    # p = .03: told alone, and not among forty cells of another arm without any effect
    alone = {"a": cells_of([[2.17, 2.17]])}
    assert found_cells(alone, "overlap_low_30_z")["a"].to_numpy().all()
    wide = alone | {"b": cells_of([[0.1, 0.1]] * 20)}
    told = found_cells(wide, "overlap_low_30_z")
    assert not told["a"].to_numpy().any()
    assert told["b"].shape == (20, 2)


def test_seeds_add_up_over_the_root_of_their_number():
    once = cells_of([[2.0, 0.0]])
    assert not found_cells({"a": once}, "overlap_low_30_z")["a"].to_numpy().any()
    four = cells_of([[2.0, 0.0]], runs=4)  # z = 4 x 2 / sqrt(4)
    assert found_cells({"a": four}, "overlap_low_30_z")["a"].to_numpy().tolist() == [[True, False]]


def test_a_cell_without_a_score_is_no_member_of_the_family():
    told = found_cells({"a": cells_of([[4.0, np.nan]])}, "overlap_low_30_z")["a"]
    assert told.to_numpy().tolist() == [[True, False]]


def test_five_per_cent_of_null_families_tell_anything():
    generator = np.random.default_rng(0)
    hits = [
        found_cells({"a": cells_of(generator.normal(size=(6, 2)))}, "overlap_low_30_z")["a"]
        .to_numpy()
        .any()
        for _ in range(300)
    ]
    assert np.mean(hits) < 0.05 + 4 * (0.05 * 0.95 / 300) ** 0.5


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    planted = {"overlap_low_30_z": 9.0}
    rows = [
        row | (planted if (row["layer"], row["module"]) == (1, "q_proj") else {})
        for row in measurement_rows(storages=("bfloat16",))
    ]
    folder = write_measurement(tmp_path_factory.mktemp("run"), rows)
    return {one.title: one for one in heat_map_figures({"": [read_measurement(folder)]})}


def test_a_told_cell_has_its_star_and_the_caption_its_test(figures):
    figure = figures["Odds ratio of the low mask, α = .3"]
    assert figure.panels[0].svg.count("*</text>") == 1
    assert "(1 of 21 cells)" in figure.caption
    assert figure.panels[0].title == "mean 0.500"
    principal = figures["Odds ratio of the principal mask, α = .3"]
    assert "*" not in principal.caption


def test_cells_near_the_rounding_noise_are_marked(figures):
    figure = figures["Stable rank"]  # layer 0 of the planted bfloat16 rows is "caution"
    assert figure.panels[0].svg.count("?</text>") == 7
    assert "rounding noise" in figure.caption
    assert "?</text>" not in figures["Relative norm"].panels[0].svg


def test_only_spectra_are_in_doubt():
    rows = pd.DataFrame(
        {"layer": [0, 1], "module": "q_proj", "reliability": ["poor", "ok"], "stable_rank": 2.0}
    )
    assert in_doubt(rows, "stable_rank").to_numpy().ravel().tolist() == [True, False]
    assert in_doubt(rows, "relative_norm") is None
    assert in_doubt(rows.assign(reliability="ok"), "stable_rank") is None
