"""The gates on a page: tables for the figures, and what is drawn."""

import pytest
from matplotlib.figure import Figure

from hodograph.errors import StorageError
from hodograph.report.gates import (
    curve_table,
    gates_table,
    gates_view,
    leash,
    leash_table,
    ranks_table,
    study_gates,
)
from hodograph.report.page import _environment as environment
from hodograph.report.read import Run
from hodograph.report.style import looks
from planted.gates import account, write_account


def test_one_seed_keeps_its_interval_and_several_give_their_range():
    alone = leash_table({"opd": [account()]}).iloc[0]
    assert (alone["low"], alone["value"], alone["high"]) == pytest.approx((0.01, 0.02, 0.02))
    several = leash_table({"opd": [account(1), account(3)]}).iloc[0]
    assert (several["low"], several["value"], several["high"]) == pytest.approx((0.02, 0.04, 0.06))


def test_ranks_have_a_row_for_each_kind_of_coefficients():
    table = ranks_table({"sft": [account(per_token=None)]})
    assert table["label"].tolist() == ["sft, shared", "sft, per token"]
    assert table["value"].isna().tolist() == [False, True]
    assert table["permuted"].tolist() == [3, 5]


def test_the_curve_shows_common_exponents_alone_unbiased():
    table = curve_table({"opd": [account(), account()]})
    assert table.to_dict("records") == [
        {"arm": "opd", "exponent": -7, "apart": pytest.approx(0.1), "permuted": pytest.approx(0.05)}
    ]


def test_a_view_has_a_figure_for_each_gate_and_every_arm_in_its_table():
    accounts = {"opd": [account()], "sft": [account(per_token=None)]}
    view = gates_view(accounts, looks(accounts))
    assert [figure.title.partition(":")[0] for figure in view["figures"]] == [
        "Gate I", "Gate II", "Gate III",
    ]  # fmt: skip
    assert all("<path" in figure.panels[0].svg for figure in view["figures"])
    assert not any("$" in figure.panels[0].svg for figure in view["figures"])
    assert [[name for name, _ in figure.key] for figure in view["figures"]] == [
        [], [], ["opd", "sft"],
    ]  # fmt: skip
    (body,) = gates_table(accounts).bodies
    assert [row[0].text for row in body.rows] == ["opd", "sft"]
    assert body.rows[1][6].title.startswith("not defined")


def test_a_page_shows_what_its_study_names(tmp_path):
    write_account(tmp_path / "a" / "gates")
    run = Run(name="opd", role="arm", seed=0, objective="opd", folder="a", gates="a/gates")
    assert study_gates(tmp_path, [run.model_copy(update={"gates": None})]) is None
    template = environment().get_template("gates.html.j2")
    page = template.render(gates=study_gates(tmp_path, [run]), made="hodograph report")
    for said in ("Gate I", "Gate II", "Gate III", "The three gates", "opd", "0.0200"):
        assert said in page
    with pytest.raises(StorageError, match="hodograph gates command again"):
        study_gates(tmp_path, [run.model_copy(update={"gates": "b/gates"})])


def test_the_null_of_the_divergence_is_drawn_where_it_is():
    axes = leash(leash_table({"opd": [account()]}), Figure().subplots(), looks(["opd"]))
    cross, stroke = axes.collections
    assert cross.get_offsets().tolist() == [[0.03, 0.0]]
    assert stroke.get_offsets().tolist() == [[0.001, 0.0]]
    assert axes.get_xscale() == "log"
