"""`hodograph gates` on the folder of a run, as a user calls it; its update is planted."""

import json
import sys

import pyarrow.parquet as pq
import pytest
import torch

from hodograph.cli import main
from hodograph.errors import CheckpointError, SettingsError
from hodograph.gates.measure import measure_gates
from hodograph.gates.settings import GatesSettings
from hodograph.studies.worker import gate_run
from hodograph.tables.gates import GATE_COLUMNS, KINDS
from planted.runs import tiny_recipe

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.train
FEW = {"prompts": 8, "samples": 4, "draws": 2}
OPTIONS = ["--prompts", "8", "--samples", "4", "--draws", "2"]
STEPS = (1, 2, 3)


def model():
    torch.manual_seed(0)
    from hodograph.tasks.alphabet import chain_tokenizer

    tokenizer = chain_tokenizer()
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        head_dim=16, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
        max_position_embeddings=64, initializer_range=0.2,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=None,  # whose row would be zero
        bos_token_id=None,
    )  # fmt: skip
    return transformers.Qwen3ForCausalLM(config), tokenizer


def write_run(folder):
    """W0 on the bfloat16 grid, and three checkpoints along one Gaussian direction."""
    student, tokenizer = model()
    with torch.no_grad():
        for weight in student.parameters():
            weight.copy_(weight.bfloat16())
    generator = torch.Generator().manual_seed(7)
    way = {n: torch.randn(w.shape, generator=generator) for n, w in student.named_parameters()}
    for step in (0, *STEPS):
        place = folder / "checkpoints" / f"step_{step}"
        if step:
            with torch.no_grad():
                for name, weight in student.named_parameters():
                    weight.add_(5e-4 * way[name])
        student.save_pretrained(place)
        tokenizer.save_pretrained(place)
    recipe = tiny_recipe({"objective": {"type": "rlvr"}})
    (folder / "recipe.json").write_text(json.dumps(recipe.as_json()))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


def command(*arguments):
    """The command line in this process, which has imported everything; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["hodograph", "gates", *map(str, arguments)])
        try:
            main()
        except SystemExit as ended:
            return ended.code
    return 0


@pytest.fixture(scope="module")
def whole(run):
    """Measured from the command line, the run's own last checkpoint as the teacher."""
    assert not command(run, "--teacher", run, *OPTIONS)
    return run / "gates"


@pytest.fixture(scope="module")
def summary(whole):
    return json.loads((whole / "gates.json").read_text())


def test_table_and_summary_are_whole(whole, summary):
    table = pq.read_table(whole / "gates.parquet")
    assert table.column_names == [column.name for column in GATE_COLUMNS]
    frame = table.to_pandas()
    assert sorted(set(frame["step"])) == list(STEPS)
    assert len(frame) == 3 * 14
    filled = frame.loc[:, ~frame.isna().all()].columns
    unrewarded = {c for c in frame if "shared" in c and "signs" not in c} - {"signal_shared"}
    assert set(frame.columns) - set(filled) <= unrewarded | {"expert", "reason"}
    assert [one["step"] for one in summary["steps"]] == list(STEPS)
    assert summary["gates"] == summary["steps"][-1]
    assert summary["skipped"] == []
    assert not list(whole.glob("parts-*"))


def test_the_same_run_by_another_path_is_not_measured_again(run, whole, monkeypatch):
    before = (whole / "gates.json").stat().st_mtime_ns
    monkeypatch.chdir(run.parent)
    assert not command(run.name, "--teacher", run.name, *OPTIONS)
    assert (whole / "gates.json").stat().st_mtime_ns == before


def test_a_longer_way_spends_more_and_the_norm_is_the_one_planted(summary):
    spent = [one["I"]["kl_to_anchor"]["value"] for one in summary["steps"]]
    norms = [one["I"]["relative_norm"]["value"] for one in summary["steps"]]
    assert 0 < spent[0] < spent[1] < spent[2]
    assert norms[2] == pytest.approx(3 * norms[0], rel=1e-3)
    assert spent[2] == pytest.approx(9 * spent[0], rel=0.3)
    first = summary["steps"][0]["I"]
    assert first["kl_step"]["value"] == pytest.approx(first["kl_to_anchor"]["value"])
    assert first["kl_from_anchor"]["value"] == pytest.approx(first["quadratic"]["value"], rel=0.1)


def test_a_gaussian_update_is_no_other_than_its_nulls(summary):
    last = summary["gates"]
    assert last["I"]["curvature_ratio"]["value"] == pytest.approx(1, rel=0.3)
    assert last["I"]["bound"]["value"] == pytest.approx(
        last["I"]["relative_norm"]["value"], rel=0.5
    )
    three = last["III"]
    assert three["deviation"]["value"] == pytest.approx(three["null"]["value"], rel=0.35)


def test_the_teacher_at_the_last_step_gives_no_signal_there(summary):
    """Its log-ratios to itself are 0, so the gradient they weight has no rank."""
    last, first = summary["gates"]["II"], summary["steps"][0]["II"]
    assert last["effective_rank_per_token"]["value"] is None
    assert first["effective_rank_per_token"]["value"] > 1
    assert set(KINDS) >= {"shared", "per_token"}


def test_the_same_command_returns_and_prints_what_is_there(run, whole, capsys):
    before = (whole / "gates.json").stat().st_mtime_ns
    assert not command(run, "--teacher", run, *OPTIONS)
    printed = capsys.readouterr().out
    assert "KL to W0" in printed
    assert "random signs a token" in printed
    assert (whole / "gates.json").stat().st_mtime_ns == before


def test_it_goes_on_after_a_kill_with_the_same_numbers(run, summary, tmp_path):
    def stop(done, total, name):
        if name == "step 2: divergences":
            raise KeyboardInterrupt

    out = tmp_path / "gates"
    with pytest.raises(KeyboardInterrupt):
        measure_gates(run, out=out, teacher=run, on_progress=stop, **FEW)
    assert not (out / "gates.json").exists()
    seen = []
    found = measure_gates(
        run, out=out, teacher=run, on_progress=lambda d, t, name: seen.append(name), **FEW
    )
    assert not any(name.startswith(("W0", "step 1")) for name in seen)
    assert found.summary["steps"] == summary["steps"]


def test_a_studys_worker_measures_the_same(run, summary, tmp_path):
    gate_run("gates seed_0/rlvr", run, tmp_path, run, GatesSettings(**FEW, steps=(1,)))
    found = json.loads((tmp_path / "gates.json").read_text())
    assert found["steps"] == summary["steps"][:1]


def test_without_a_teacher_what_needs_it_is_empty(run):
    found = measure_gates(run, steps=(1,), **FEW).summary
    assert found["gates"]["II"]["effective_rank_per_token"]["value"] is None
    assert found["gates"]["II"]["signs"]["per_token"]["value"] > 1
    assert "No teacher is known" in found["warnings"][0]


def bad_runs():
    def no_recipe(run, tmp_path):
        return [tmp_path], "it is no run folder"

    def no_step(run, tmp_path):
        return [run, "--steps", "1,7"], "no checkpoint of step 7 after W0 (1, 2, 3)"

    def no_number(run, tmp_path):
        return [run, "--steps", "last"], "whole numbers joined by commas"

    def no_teacher(run, tmp_path):
        return [run, "--teacher", tmp_path / "nowhere"], "--teacher FOLDER"

    def few_prompts(run, tmp_path):
        return [run, "--prompts", "1"], "prompts is 1; for gates it is 2 or more"

    def few_tokens(run, tmp_path):
        return [run, "--tokens", "30", "--samples", "4"], "do not hold the samples of 2 prompts"

    return [no_recipe, no_step, no_number, no_teacher, few_prompts, few_tokens]


@pytest.mark.parametrize("bad", bad_runs(), ids=lambda bad: bad.__name__)
def test_bad_input_gets_one_message(bad, run, tmp_path, capsys):
    arguments, message = bad(run, tmp_path)
    assert command(*arguments, "--out", tmp_path / "out") == 2
    printed = capsys.readouterr().err
    assert message in " ".join(printed.split())
    assert "Traceback" not in printed
    assert not (tmp_path / "out" / "gates.json").exists()


def test_a_teacher_of_another_vocabulary_is_refused(run, tmp_path):
    from hodograph.tasks.alphabet import chain_tokenizer

    other = chain_tokenizer()
    other.add_tokens(["another"])
    last = run / "checkpoints" / "step_3"
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((last / file).read_bytes())
    other.save_pretrained(tmp_path)
    with pytest.raises(SettingsError, match="another vocabulary than the run: 'another'"):
        measure_gates(run, teacher=tmp_path, **FEW)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_run(tmp_path)
    file = folder / "checkpoints" / "step_3" / "model.safetensors"
    tensors = load_file(file)
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="NaN or infinite weights in"):
        measure_gates(folder, steps=(3,), **FEW)
