"""The shipped studies at other sizes: what they would train, dry-run on torch's meta device."""

from pathlib import Path

import pytest

from hodograph.studies.estimate import RunEstimate, estimate_study
from hodograph.studies.plan import plan
from hodograph.studies.study import load_study

STUDIES = Path("examples/studies")
SIZES = ("spectrum", "locking", "sufficiency", "control", "robustness", "gates")


def first_seed(file: Path, out: Path, *names: str) -> dict[str, RunEstimate]:
    runs = [run for run in plan(load_study(file), file, out) if run.seed == 0]
    runs = [run for run in runs if run.name in names or not names]
    found = estimate_study(runs, 1, lambda done, total: None)
    return {one.run.name: one for one in found.runs}


def parameters(one: RunEstimate) -> float:
    """Millions of weights, from the bytes of the checkpoints at step 0 and at the last one."""
    return one.size / 4 / len({0, *one.run.recipe.save.steps, one.run.recipe.steps}) / 1e6


@pytest.mark.parametrize("folder", ["gpu", "qwen3"])
def test_every_study_has_this_size(folder: str) -> None:
    assert {path.stem for path in (STUDIES / folder).glob("*.toml")} >= {*SIZES, "setting"}


def test_the_gpu_size_is_what_it_says(tmp_path: Path) -> None:
    names = ("base", "anchor", "teacher", "teacher_moe", "opd_moe_teacher", "rlvr")
    found = first_seed(STUDIES / "gpu/robustness.toml", tmp_path, *names)
    assert set(found) == set(names)
    assert {one.basis for one in found.values()} == {"least"}
    assert parameters(found["base"]) == pytest.approx(25.2, abs=0.1)
    assert parameters(found["teacher"]) == pytest.approx(85.0, abs=0.2)
    assert found["rlvr"].run.recipe.batch.sequences == 1024
    assert found["opd_moe_teacher"].training > found["rlvr"].training


@pytest.mark.parametrize(
    "name", ["spectrum", "sufficiency", "control", "locking", "gates", "anchors"]
)
def test_no_arm_of_the_gpu_size_keeps_a_setting_of_the_miniature(name: str, tmp_path: Path) -> None:
    file = STUDIES / f"gpu/{name}.toml"
    for run in plan(load_study(file), file, tmp_path):
        recipe = run.recipe
        assert (recipe.task.min_terms, recipe.task.max_terms) == (8, 16), run.key
        assert recipe.sampling.max_completion_length == 30, run.key
        if run.role == "arm":
            assert recipe.optimizer.lr <= 1e-5 or "_lr_6e" in run.name, run.key
            assert recipe.steps >= 300, run.key
            assert recipe.subspace is None or recipe.subspace.at_step == 60, run.key


@pytest.mark.parametrize("name", SIZES)
def test_real_scale_has_the_papers_hyper_parameters(name: str, tmp_path: Path) -> None:
    file = STUDIES / f"qwen3/{name}.toml"
    study = load_study(file)
    runs = {run.name: run for run in plan(study, file, tmp_path)}
    anchor, opd = runs["sft_paper"].recipe, runs["opd"].recipe
    assert {run.role for run in runs.values()} == {"arm"}, "the anchor is trained once, as an arm"
    assert (anchor.student.id, anchor.steps, anchor.batch.sequences) == (
        "Qwen/Qwen3-8B-Base", 5375, 256
    )  # fmt: skip
    assert (anchor.optimizer.lr, anchor.optimizer.betas) == (1e-5, (0.9, 0.95))
    assert (opd.teacher.id, opd.steps, opd.batch.sequences) == ("Qwen/Qwen3-32B", 299, 64)
    assert (opd.optimizer.lr, opd.optimizer.betas) == (1e-6, (0.9, 0.98))
    assert {run.recipe.optimizer.weight_decay for run in runs.values()} <= {0.1, 0.0}
    assert opd.save.steps == (63, 127, 191, 255, 299)
    assert {runs[arm].student for arm in ("sft", "opd", "rlvr", "random_reward")} == {"sft_paper"}
    assert study.notes == ("One seed: every row of the ledger is undetermined; add seeds.",)
    assert study.seeds == (0,)


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("spectrum", ("C1", "C3", "C4", "C5")),
        ("locking", ("C6", "C7", "C8", "C9")),
        ("sufficiency", ("C10",)),
    ],
)
def test_real_scale_tests_claims_under_the_papers_budgets(
    name: str, claims: tuple[str, ...], tmp_path: Path
) -> None:
    file = STUDIES / f"qwen3/{name}.toml"
    study = load_study(file)
    runs = {run.name: run.recipe for run in plan(study, file, tmp_path)}
    for claim in claims:
        own, unmatched = study.claims[claim].arms, study.claims[f"{claim} unmatched"].arms
        assert "opd" in own, claim
        assert "opd" in unmatched, claim
        assert {runs[arm].steps for arm in own} == {299}, claim
        longer = {runs[arm].steps for arm in unmatched} - {299}
        assert longer <= {5375, 1023}, claim
        assert longer, claim
        assert ("rlvr" in own) == ("rlvr_paper" in unmatched), claim
        assert ("sft" in own or "sft_base" in own) == ("sft_paper" in unmatched), claim


@pytest.mark.parametrize("folder", ["miniature", "gpu", "qwen3"])
def test_the_gates_of_the_claims_control_are_measured(folder: str) -> None:
    study = load_study(STUDIES / folder / "gates.toml")
    assert study.claims["C14"].arms == ("opd", "random_reward")
    assert {"opd", "random_reward"} <= set(study.gates.arms)


def test_real_scale_is_planned_without_a_network(tmp_path: Path) -> None:
    found = first_seed(STUDIES / "qwen3/robustness.toml", tmp_path, "sft_paper", "opd_moe_teacher")
    for one in found.values():
        assert one.training is None
        assert "Qwen/Qwen3-8B-Base@main: the tokenizer cannot be had" in one.why
