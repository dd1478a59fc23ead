import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from hodograph.report import figures
from hodograph.report.heatmap import grid, heat_map, size
from hodograph.report.style import draw, looks
from hodograph.report.words import Words
from planted.measurement import EXPONENTS, measurement_rows


@pytest.fixture
def axes():
    return Figure().add_subplot()


@pytest.fixture(scope="module")
def last():
    table = pd.DataFrame(measurement_rows(steps=(100,), storages=("float32",)))
    return table.assign(layer=table["layer"].astype("Int64"))


def points(**more):
    return pd.DataFrame(
        {
            "arm": ["opd", "opd", "sft", "sft"],
            "step": [10, 20, 10, 20],
            "mean": [1.0, 2.0, 3.0, 4.0],
        }
        | {"low": np.nan, "high": np.nan, "flag": ""}
        | more
    )


def drawn(axes):
    return [line.get_xydata().tolist() for line in axes.lines if len(line.get_xdata())]


def test_trajectory_draws_each_arm_at_its_steps(axes):
    figures.trajectory(points(), axes, looks(["opd", "sft"]))
    assert [[10, 1], [20, 2]] in drawn(axes)
    assert [[10, 3], [20, 4]] in drawn(axes)


def test_a_flagged_point_is_hollow(axes):
    look = looks(["opd"])
    table = points(flag=["poor 1/2", "", "", ""]).head(2)
    figures.trajectory(table, axes, look)
    faces = {line.get_xdata()[0]: line.get_markerfacecolor() for line in axes.lines[1:]}
    assert faces[20] == look["opd"].colour != faces[10]


def test_one_null_for_all_arms_is_one_line_and_others_have_their_arms_colour(axes):
    look = looks(["opd", "sft"])
    nulls = pd.DataFrame({"arm": ["opd", "sft"] * 2, "step": [10, 10, 20, 20], "null": 0.25})
    figures.trajectory(points(), axes, look, nulls=nulls)
    assert drawn(axes)[-1] == [[10, 0.25], [20, 0.25]]
    assert len([line for line in axes.lines if line.get_linestyle() == ":"]) == 1
    nulls["null"] = [0.1, 0.2, 0.3, 0.4]
    figures.trajectory(points(), axes, look, nulls=nulls)
    own = {line.get_color(): line.get_ydata().tolist() for line in axes.lines[-2:]}
    assert own == {look["opd"].colour: [0.1, 0.3], look["sft"].colour: [0.2, 0.4]}


def test_limits_hold_every_band_and_chance():
    low, high = figures.limits(points(low=-1.0, high=9.0), 12.0)
    assert low < -1
    assert high > 12


def test_twelve_arms_all_look_different():
    assert len(set(looks(map(str, range(12))).values())) == 12


def test_ulp_histogram_weighs_by_parameters(axes):
    table = pd.DataFrame({"rows": [1, 1], "cols": [1, 3], "ulp_0": [1.0, 0.0], "ulp_1": [0.0, 1.0]})
    for column in ("ulp_2", "ulp_3_4", "ulp_5_8", "ulp_over_8"):
        table[column] = 0.0
    figures.ulp_histogram(table, axes)
    assert [bar.get_height() for bar in axes.patches][:2] == [0.25, 0.75]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["0", "1", "2", "3–4", "5–8", "> 8"]


def test_visibility_curve_shows_change_rate_by_power_of_two(axes, last):
    figures.visibility_curve(last, axes)
    x, y = axes.lines[0].get_data()
    assert list(x) == [exponent - 127 for exponent in EXPONENTS[1:]]
    assert y[0] == pytest.approx(180 / 200)
    assert y[-1] == 0


def test_exponents_are_summed_over_matrices(last):
    bins = figures.by_exponent(last)
    assert bins.loc[118, "entries"] == 200 * 21
    assert bins.loc[118, "changed"] == 180 * 21


def test_overlap_and_null_are_both_written(axes, last):
    figures.overlap_against_null(last, axes)
    texts = [text.get_text() for text in axes.texts]
    assert "28.0 (null 28.1)" in texts
    assert "38.0 (null 37.9)" in texts


def printed(axes):
    """Values in the cells of a heat map, in order."""
    drawn = [artist for artist in axes.artists if isinstance(artist, Words)]
    return [word.text for artist in drawn for word in artist.words]


def test_heat_map_has_layers_down_and_modules_across(axes, last):
    cells = grid(last, "stable_rank")
    assert list(cells.columns)[:4] == ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert list(cells.index) == [0, 1, 2]
    assert cells.loc[2, "v_proj"] == pytest.approx(5.0)
    heat_map(cells, axes, unit="", limits=(3.0, 5.0))
    assert printed(axes)[-1] == "5.00"


def test_heat_map_averages_experts_and_names_what_is_outside_the_layers(axes):
    table = pd.DataFrame(
        {"layer": [0, 0, None], "module": ["up_proj", "up_proj", "lm_head"], "expert": [0, 1, None]}
        | {"relative_norm": [0.1, 0.3, 0.5]}
    )
    cells = grid(table, "relative_norm")
    assert cells.loc[0, "up_proj"] == pytest.approx(0.2)
    heat_map(cells, axes, unit="ratio", limits=(0.1, 0.5))
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["none", "0"]
    assert set(printed(axes)) == {"20.0", "50.0", "–"}


def test_heat_map_of_one_value_has_no_colour_bar(last):
    figure = Figure()
    heat_map(grid(last, "hill_11"), figure.add_subplot(), unit="", limits=(2.5, 2.5))
    assert len(figure.axes) == 1


def test_a_large_heat_map_stays_narrow_and_a_huge_one_prints_no_values(axes):
    cells = pd.DataFrame(np.ones((60, 7)), columns=list("abcdefg"))
    width, height = size(cells)
    assert width < 400
    assert height < 1000
    heat_map(cells, axes, unit="", limits=(0.0, 1.0))
    assert not printed(axes)


def svg_of(plot, name="one"):
    return draw(plot, name=name, label='a "label"', width=300, height=200)


def test_drawing_twice_gives_the_same_svg(last):
    plot = partial(figures.ulp_histogram, last)
    assert svg_of(plot) == svg_of(plot)


def test_ids_are_unique_between_figures_and_all_references_resolve(last):
    plot = partial(figures.overlap_against_null, last)
    one, two = (svg_of(plot, name) for name in ("one", "two"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, own in zip((one, two), ids, strict=True):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) == own


def test_svg_takes_its_colours_from_the_page(last):
    svg = svg_of(partial(figures.ulp_histogram, last))
    assert "var(--ink)" in svg
    assert "#1000" not in svg
    assert 'aria-label="a &#34;label&#34;"' in svg or 'aria-label="a &quot;label&quot;"' in svg
