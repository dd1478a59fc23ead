"""The monitor in a plain trainer: where it logs, what it keeps, what it resumes and refuses."""

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import torch.distributed as distributed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import Trainer, TrainerCallback

from hodograph import Monitor
from hodograph.errors import SettingsError, StorageError
from hodograph.monitor.live import live_parameters
from planted.sft import plain_trainer, tiny_model

LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False}


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def train(out: Path, monitor: Monitor, model: Any = None, **settings: Any) -> Trainer:
    trainer = plain_trainer(out, model or tiny_model(), [monitor], **settings)
    trainer.train()
    return trainer


def test_values_reach_the_trainers_own_trackers_and_leave_its_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    settings: dict[str, Any] = {"save_strategy": "no", "logging_steps": 4}
    plain = plain_trainer(tmp_path / "plain", tiny_model(), [], **settings)
    plain.train()
    monitor = Monitor(every=4, steps=[5], folder=tmp_path / "monitor")
    watched = train(tmp_path / "watched", monitor, report_to="tensorboard", **settings)

    events = EventAccumulator(str(tmp_path / "events")).Reload()
    for step, line in [(line["step"], line) for line in lines(tmp_path / "monitor")]:
        for name in line.keys() - {"step"}:
            shown = {e.step: e.value for e in events.Scalars(f"train/{name}")}
            assert shown[step] == pytest.approx(line[name], rel=1e-6)
    assert {e.step for e in events.Scalars("train/geometry/stable_rank")} == {4, 5, 8, 12}
    assert [e.step for e in events.Scalars("train/loss")] == [4, 8, 12]

    own = [entry for entry in watched.state.log_history if "geometry/kappa" not in entry]
    times = {"train_runtime", "train_samples_per_second", "train_steps_per_second"}
    kept = [{k: v for k, v in e.items() if k not in times} for e in own]
    assert kept == [{k: v for k, v in e.items() if k not in times} for e in plain.state.log_history]
    ours, theirs = watched.model.state_dict(), plain.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_a_resumed_run_logs_what_an_unbroken_one_does(tmp_path: Path, keep: Any) -> None:
    settings: dict[str, Any] = {"every": 3, "steps": [1, 2], "references": 2, "keep": keep}
    train(tmp_path / "whole", Monitor(**settings, folder=tmp_path / "whole/monitor"))
    out = tmp_path / "broken"
    train(out, Monitor(**settings, folder=out / "monitor"), max_steps=12, save_total_limit=3)
    states = {path.name for path in (out / "monitor").glob("state_*")}
    assert states == {f"state_{step}.safetensors" for step in (8, 10, 12)}
    with (out / "monitor/metrics.jsonl").open("a") as file:
        file.write('{"step": 13, "geom')  # as a kill leaves it
    trainer = plain_trainer(out, tiny_model(), [Monitor(**settings, folder=out / "monitor")])
    trainer.train(resume_from_checkpoint=str(out / "checkpoint-8"))
    assert lines(out / "monitor") == lines(tmp_path / "whole/monitor")
    assert "geometry/locked" in lines(out / "monitor")[-1]


def test_a_resumed_run_without_what_was_kept_is_refused(tmp_path: Path) -> None:
    train(tmp_path, Monitor(folder=tmp_path / "monitor"), max_steps=4)
    checkpoint = str(tmp_path / "checkpoint-4")

    def resumed(**options: Any) -> None:
        trainer = plain_trainer(tmp_path, tiny_model(), [Monitor(**options)])
        trainer.train(resume_from_checkpoint=checkpoint)

    with pytest.raises(SettingsError, match=r"resumes at step 4, .*it was given no folder"):
        resumed()
    with pytest.raises(SettingsError, match=r"there is no .*elsewhere/state_4\.safetensors"):
        resumed(folder=tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="is of other matrices"):
        resumed(folder=tmp_path / "monitor", scope="attention")
    (tmp_path / "monitor/w0.safetensors").write_bytes(b"cut")
    with pytest.raises(StorageError, match=r"w0\.safetensors: what the monitor kept"):
        resumed(folder=tmp_path / "monitor")


def test_an_adapter_is_seen_as_the_weights_it_merges_to(tmp_path: Path) -> None:
    """The monitor of a LoRA run sees what merging gives, and leaves the base alone."""
    model = peft.get_peft_model(tiny_model(), peft.LoraConfig(**LORA))
    read = {live.name: live.read() for live in live_parameters(model, "linear", "all")}
    base = model.get_base_model().model.layers[0].self_attn.q_proj.base_layer.weight.clone()
    train(tmp_path, Monitor(every=6, layers="all", folder=tmp_path / "m"), model, save_steps=6)
    after = {live.name: live.read() for live in live_parameters(model, "linear", "all")}
    merged = dict(model.merge_and_unload().named_parameters())
    assert not torch.equal(merged["model.layers.0.self_attn.q_proj.weight"], base)
    assert after.keys() == {name.removeprefix("model.") for name in merged if "_proj" in name}
    moved = []
    for name, weights in after.items():
        assert torch.equal(weights, merged[f"model.{name}"])
        size = torch.linalg.vector_norm(weights.double() - read[name].double())
        moved.append(float(size / torch.linalg.vector_norm(read[name].double())))
    last = lines(tmp_path / "m")[-1]
    assert last["geometry/relative_norm"] == pytest.approx(sum(moved) / len(moved), rel=1e-6)
    assert (
        last["geometry/stable_rank"] <= 4 + 1e-6
    )  # B A before and after, both of rank 4: at most 8
    assert "geometry/kappa" not in last  # the optimizer moves A and B, not W


def test_wrappers_do_not_change_names_or_matrices() -> None:
    plain = tiny_model()
    compiled = torch.compile(tiny_model(), backend="eager")
    one, two = (live_parameters(m, "linear", "all") for m in (plain, compiled))
    assert [p.name for p in one] == [p.name for p in two]
    assert [p.blocks for p in one] == [p.blocks for p in two]
    assert one[0].name == "layers.0.mlp.down_proj.weight"
    everything = live_parameters(plain, "all", "all")
    assert {"embed_tokens.weight", "norm.weight"} < {p.name for p in everything}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (1, {0}),
        (2, {0, 6}),
        (3, {0, 3, 6}),
        (4, {0, 2, 4, 6}),
        (9, set(range(7))),
        ([2, 5], {2, 5}),
    ],
)
def test_layers_are_spread_from_the_first_to_the_last(layers: Any, expected: set[int]) -> None:
    found = live_parameters(tiny_model(layers=7), "attention", layers)
    assert {p.role.layer for p in found} == expected
    assert len(found) == 4 * len(expected)


class Spoiled(TrainerCallback):
    """One weight overflows at the second step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 2:
            weights = kwargs["model"].model.layers[2].self_attn.q_proj.weight
            weights.data[0, 0] = float("inf")


def test_a_matrix_that_is_not_finite_is_left_out_and_counted(tmp_path: Path) -> None:
    monitor = Monitor(every=1, layers="all", folder=tmp_path / "m")
    plain_trainer(tmp_path, tiny_model(), [Spoiled(), monitor], max_steps=2).train()
    first, second = lines(tmp_path / "m")
    assert "geometry/nonfinite_matrices" not in first
    assert second["geometry/nonfinite_matrices"] == 1
    assert 0 < second["geometry/relative_norm"] < 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "every is 0; it must be at least 1"),
        ({"references": 0}, "references is 0"),
        ({"keep": "disk"}, "needs a folder"),
    ],
)
def test_arguments_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Monitor(**options)


def refused(tmp_path: Path, model: Any, **options: Any) -> str:
    trainer = plain_trainer(tmp_path, model, [Monitor(**options)])
    with pytest.raises(SettingsError) as caught:
        trainer.train()
    return str(caught.value)


@pytest.mark.filterwarnings("default")  # of torch.distributed
def test_weights_that_fsdp_sharded_are_refused() -> None:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        sharded = tiny_model()
        fully_shard(sharded, mesh=init_device_mesh("cpu", (1,)))
        with pytest.raises(SettingsError, match=r"weight is sharded over processes"):
            live_parameters(sharded, "linear", 4)
    finally:
        distributed.destroy_process_group()


def test_models_it_cannot_read_are_refused_before_the_first_step(tmp_path: Path) -> None:
    assert "asked for layer 9; the model has the layers 0 to 2" in refused(
        tmp_path, tiny_model(), layers=[0, 9]
    )
    dora = peft.get_peft_model(tiny_model(), peft.LoraConfig(**LORA, use_dora=True))
    assert "plain LoRA" in refused(tmp_path, dora)
    vera = peft.get_peft_model(
        tiny_model(), peft.IA3Config(target_modules=["k_proj"], feedforward_modules=[])
    )
    assert "plain LoRA" in refused(tmp_path, vera)
    zero = tiny_model()
    zero.model.layers[0].self_attn.q_proj.weight.ds_id = 7  # DeepSpeed's mark of a partitioned one
    assert "is sharded over processes" in refused(tmp_path, zero)
    headless = torch.nn.Linear(4, 4)
    with pytest.raises(SettingsError, match="finds no matrix of the scope 'linear' in Linear"):
        live_parameters(headless, "linear", 4)
    quantised = tiny_model()
    layer = quantised.model.layers[0].self_attn.q_proj
    layer.weight = torch.nn.Parameter(layer.weight.to(torch.uint8), requires_grad=False)
    with pytest.raises(SettingsError, match=r"q_proj\.weight is stored as torch\.uint8"):
        live_parameters(quantised, "linear", 4)
