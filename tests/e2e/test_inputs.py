"""`measure --inputs` on a small real model; how its updates relate to the inputs is planted."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hodograph import measure
from hodograph.errors import CheckpointError, SettingsError, StorageError
from hodograph.inputs.kept import KeptInputs
from hodograph.tables.columns import BY_NAME

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.train
HODOGRAPH = str(Path(sys.executable).with_name("hodograph"))
STEPS = range(1, 7)
K = 16


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=24, hidden_size=48, intermediate_size=64, num_hidden_layers=3, head_dim=16,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
        max_position_embeddings=32, initializer_range=0.2,
    )  # fmt: skip
    return transformers.Qwen3ForCausalLM(config).eval()


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    from hodograph.recipes import ChainTask
    from hodograph.tasks import open_task

    examples = open_task(ChainTask(type="chain")).training(0, 60)
    path = tmp_path_factory.mktemp("texts") / "chains.txt"
    path.write_text("".join(f"{e.prompt}{e.demonstration}\n" for e in examples))
    return path


def inputs_of(model, texts):
    """Every linear module's inputs over all tokens, by hooks of our own."""
    from hodograph.tasks.alphabet import chain_tokenizer

    heard, handles = {}, []
    for name, module in model.named_modules():
        if name.endswith("_proj"):
            heard[name] = []
            handles.append(module.register_forward_pre_hook(
                lambda _, given, name=name: heard[name].append(given[0][0])))  # fmt: skip
    with torch.no_grad():
        for line in texts.read_text().splitlines():
            model(input_ids=torch.tensor([chain_tokenizer()(line)["input_ids"]]))
    for handle in handles:
        handle.remove()
    return {name: torch.cat(rows) for name, rows in heard.items()}


@pytest.fixture(scope="module")
def plant(model, texts, tmp_path_factory):
    """Trajectories from the model: random errors at every token, or a lock without inputs."""
    from hodograph.tasks.alphabet import chain_tokenizer

    inputs = inputs_of(model, texts)
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def write(kind):
        folder = tmp_path_factory.mktemp(kind)
        generator = torch.Generator().manual_seed(1)
        held = {}
        paths = []
        for step in (0, *STEPS):
            for name, rows_TN in inputs.items() if step else ():
                weight = model.get_submodule(name).weight
                if kind == "errors":
                    z_MT = torch.randn(len(weight), len(rows_TN), generator=generator)
                    update = z_MT @ rows_TN
                else:
                    last = torch.linalg.eigh(rows_TN.T @ rows_TN)[1][:, :4]
                    left = torch.randn(len(weight), 4, generator=generator)
                    held.setdefault(name, left @ last.T)
                    update = held[name] + 0.05 * torch.randn(weight.shape, generator=generator)
                with torch.no_grad():
                    weight.add_(update, alpha=1e-3 / float(update.square().mean().sqrt()))
            paths.append(folder / f"step_{step}")
            model.save_pretrained(paths[-1])
            chain_tokenizer().save_pretrained(paths[-1])
        model.load_state_dict(start)
        return paths

    return write


@pytest.fixture(scope="module")
def errors(plant):
    return plant("errors")


def measured(folders, texts, **options):
    return measure(folders[0], folders[1:], inputs=texts, permutations=1, **options)


@pytest.fixture(scope="module")
def explained(errors, texts):
    return measured(errors, texts)


def test_a_lock_that_random_errors_make_is_explained(explained):
    entry = explained.summary["lock"]["float32"]
    assert entry["verdict"] == "locked, explained by inputs"
    found = entry["inputs"]
    assert found["explained"] >= 19  # of 21; small matrices may fall short by chance
    assert found["known"] == found["locked"] >= 20
    assert found["low"] >= 0.8
    assert f"explains {found['explained']} of them" in entry["reason"]
    assert entry["thresholds"]["inputs"] == 0.8
    said = explained.summary["inputs"]
    assert said["kind"] == "texts"
    assert explained.summary["warnings"] == []
    assert (said["texts"], said["cut"], said["without"]) == (60, 0, {})
    assert said["tokens"] == sum(map(len, Path(said["source"]).read_text().splitlines()))
    first = explained.matrices[explained.matrices["step"] == 1]
    for name in ("capture16_by_inputs", "capture16_input_null"):
        assert first[name].mean() == pytest.approx(first["capture16"].mean(), abs=0.05), name


def test_every_column_of_the_inputs_is_filled(explained):
    rows = explained.matrices
    names = {name for name, column in BY_NAME.items() if column.family == "inputs"}
    assert {name for name in names if rows[name].isna().all()} == {"inputs_reason"}
    assert rows["input_energy16"].notna().all()
    assert rows["input_drift16"].between(0, 1).all()


def test_columns_equal_their_definitions(explained, errors, texts, model):
    inputs = inputs_of(model, texts)
    for name in ("model.layers.0.self_attn.k_proj", "model.layers.2.mlp.down_proj"):
        rows_TN = inputs[name].double()
        u_NK = torch.linalg.svd(rows_TN, full_matrices=False)[2][:K].T
        before, after = (
            transformers.Qwen3ForCausalLM.from_pretrained(folder).get_submodule(name).weight
            for folder in (errors[0], errors[3])
        )
        d_MN = (after - before).detach().double()
        v_NK = torch.linalg.svd(d_MN, full_matrices=False)[2][:K].T
        rows = explained.matrices
        row = rows[(rows["parameter"] == f"{name}.weight") & (rows["step"] == 3)].iloc[0]
        k = min(K, min(d_MN.shape) // 2)
        overlap = (u_NK[:, :k].T @ v_NK[:, :k]).square().sum() / k
        assert row["input_overlap16"] == pytest.approx(float(overlap), rel=1e-4)
        energy = (d_MN @ u_NK[:, :k]).square().sum() / d_MN.square().sum()
        assert row["input_energy16"] == pytest.approx(float(energy), rel=1e-4)


def test_a_lock_in_directions_without_inputs_stays_a_lock(plant, texts):
    found = measured(plant("held"), texts)
    entry = found.summary["lock"]["float32"]
    assert entry["verdict"] == "locked"
    assert entry["inputs"]["explained"] == 0
    assert entry["inputs"]["random"] < 0.2 < 0.9 < entry["inputs"]["early"]
    assert "explains 0 of them" in entry["reason"]


def test_without_inputs_it_is_said(errors):
    found = measure(errors[0], errors[1:], permutations=1, scope="attention")
    entry = found.summary["lock"]["float32"]
    assert (entry["verdict"], entry["inputs"]) == ("locked", None)
    assert "not examined" in entry["reason"]
    assert found.summary["inputs"] is None


def test_stopped_anywhere_it_goes_on_to_the_same_result(explained, errors, texts, tmp_path):
    class KilledError(Exception):
        pass

    def stop_after(calls):
        left = iter(range(calls))

        def on_progress(*_):
            if next(left, None) is None:
                raise KilledError

        return on_progress

    for calls in (3, 70, 20, 5):
        with pytest.raises(KilledError):
            measured(errors, texts, out=tmp_path / "m", on_progress=stop_after(calls))
    found = measured(errors, texts, out=tmp_path / "m", workers=2)
    assert found.matrices.equals(explained.matrices)
    assert found.summary["inputs"] == explained.summary["inputs"]
    assert not list((tmp_path / "m").glob("parts-*"))


def test_other_texts_are_another_measurement(errors, texts, tmp_path):
    few = tmp_path / "few.txt"
    few.write_text("7+5*9-8   =2,8,0$\n")
    first = measured(errors[:2], few, out=tmp_path / "m", scope="attention")
    few.write_text("7+5*9-9   =2,8,9$\n")
    second = measured(errors[:2], few, out=tmp_path / "m", scope="attention")
    assert second.matrices["inputs_reason"].isna().all()
    assert "seen at 17 tokens" in " ".join(first.summary["warnings"])
    assert first.summary["fingerprint"] != second.summary["fingerprint"]
    assert not first.matrices["input_energy16"].equals(second.matrices["input_energy16"])


def test_a_matrix_without_inputs_says_why(errors, texts):
    found = measured(errors[:2], texts, scope="all", input_tokens=300)
    rows = found.matrices.set_index("parameter")
    embedding = rows.loc["model.embed_tokens.weight"]
    assert "an embedding" in embedding["inputs_reason"]
    assert found.summary["inputs"]["without"] == {
        "model.embed_tokens.weight": embedding["inputs_reason"]
    }
    known = rows["input_energy16"].notna()
    assert set(rows.index[known]) == {name for name in rows.index if "_proj" in name}


def test_a_run_is_shown_its_own_rollouts_no_longer_than_the_model(errors, tmp_path):
    recipe = {
        "name": "run", "steps": 2, "task": {"type": "chain"}, "optimizer": {"lr": 1e-3},
        "objective": {"type": "rlvr"}, "student": {"type": "path", "path": "base"},
        "batch": {"prompts": 3, "group_size": 2}, "sampling": {"max_completion_length": 30},
    }  # fmt: skip
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    found = measured(errors[:2], tmp_path, out=tmp_path / "m", scope="attention")
    said = found.summary["inputs"]
    assert (said["kind"], said["texts"]) == ("rollouts", 6)
    assert 6 * 17 < said["tokens"] <= 6 * 32  # prompts have 16 characters, the model takes 32
    again = measured(errors[:2], tmp_path, scope="attention")
    assert again.matrices.equals(found.matrices)


def test_the_command_prints_source_nulls_and_verdict(errors, texts, tmp_path):
    done = subprocess.run(
        [HODOGRAPH, "measure", *errors, "--inputs", texts, "--input-tokens", "299",
         "--out", tmp_path / "m", "--scope", "attention"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    assert "299 tokens" in printed
    assert "1 cut" in printed
    assert "energy in inputs, %" in printed
    assert "locked, explained by inputs" in printed
    page = (tmp_path / "m" / "report.html").read_text()
    assert "random updates with the same inputs capture" in page
    assert str(texts) in page


def test_what_cannot_be_run_is_one_clear_error(errors, texts, tmp_path, write_checkpoint):
    bare = errors[0] / "model.safetensors"
    with pytest.raises(CheckpointError, match=r"no folder with a config\.json"):
        measure(bare, errors[1], inputs=texts)
    with pytest.raises(SettingsError, match="only sparsity"):
        measure(errors[0], errors[1], inputs=texts, only="sparsity")
    chat = tmp_path / "chat.jsonl"
    chat.write_text('{"messages": [{"role": "user", "content": "2+2"}]}\n')
    with pytest.raises(SettingsError, match="no chat template"):
        measure(errors[0], errors[1], inputs=chat)
    untold = tmp_path / "untold"
    untold.mkdir()
    for file in errors[0].iterdir():
        if "token" not in file.name:
            (untold / file.name).write_bytes(file.read_bytes())
    with pytest.raises(CheckpointError, match="no tokenizer beside the model"):
        measure(untold, errors[1], inputs=texts)


def test_weights_of_other_names_are_not_run_at_random(errors, texts, tmp_path, write_checkpoint):
    from safetensors.torch import load_file

    tensors = load_file(errors[0] / "model.safetensors")
    renamed = {name.replace("model.", "module.model."): value for name, value in tensors.items()}
    folder = write_checkpoint(tmp_path / "wrapped", renamed)
    for file in errors[0].glob("*.json"):
        (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(CheckpointError, match="finds no weights for"):
        measure(folder, errors[1], inputs=texts)


def test_without_transformers_the_extra_is_named(errors, texts, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SettingsError, match="extra `train`"):
        measure(errors[0], errors[1], inputs=texts)


def test_what_is_kept_comes_back_as_it_was(tmp_path):
    from hodograph.diagnostics.inputs import input_null, moment_of

    rows_TN = torch.randn(40, 12, generator=torch.Generator().manual_seed(0)).double()
    null = input_null(moment_of(rows_TN.T @ rows_TN), 10, 4, 3, seed=0)
    kept = KeptInputs(tmp_path)
    for drift in (None, 0.25):
        kept.store("a", "q_proj", replace(null, drift=drift))
        back = kept.of("a", "q_proj")
        assert back.drift == drift
        assert torch.equal(back.inside_DDK, null.inside_DDK)
    assert kept.has("a", "q_proj")
    assert not kept.has("a", "k_proj")
    with pytest.raises(StorageError, match="every machine sees"):
        kept.of("a", "k_proj")  # as on a machine that does not see the folder
