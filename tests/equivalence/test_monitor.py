"""What the monitor logs is what measuring the saved checkpoints gives."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import TrainerCallback

import hodograph
from hodograph import measure
from planted.sft import plain_trainer, tiny_model

STEPS = (2, 4, 6, 8, 10, 12)
GUIDE = Path(__file__).parents[2] / "docs/guides/monitor.md"
TOLERANCE = 1e-9  # the monitor factors increments for their singular values alone


class Beside(TrainerCallback):
    """Saves step 0, and writes beside each checkpoint what the optimizer spent."""

    def __init__(self, output: Path) -> None:
        self.output, self.rate = output, 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["model"].save_pretrained(self.output / "checkpoint-0")

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.rate += kwargs["optimizer"].param_groups[0]["lr"]

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        spent = {"step": state.global_step, "learning_rate_sum": self.rate}
        file = self.output / f"checkpoint-{state.global_step}" / "hodograph_step.json"
        file.write_text(json.dumps(spent))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    monitor = hodograph.Monitor(every=2, layers="all", references=3, folder=out / "monitor")
    trainer = plain_trainer(
        out, tiny_model(2), [Beside(out), monitor], gradient_accumulation_steps=2
    )
    trainer.train()
    return out


@pytest.fixture(scope="module")
def logged(run: Path) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (run / "monitor/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(STEPS)
    return {
        line["step"]: {k.removeprefix("geometry/"): v for k, v in line.items()} for line in lines
    }


def measured(run: Path, *steps: int) -> pd.DataFrame:
    return measure(
        run / "checkpoint-0", [run / f"checkpoint-{step}" for step in steps], permutations=1
    ).matrices


def test_sizes_spectra_and_kappa(run: Path, logged: dict[int, dict[str, float]]) -> None:
    table = measured(run, *STEPS)
    for step in STEPS:
        rows = table[table["step"] == step]
        assert len(rows) == 14
        entries = rows["rows"] * rows["cols"]
        weighted = (rows["update_sparsity"] * entries).sum() / entries.sum()
        assert logged[step]["update_sparsity"] == pytest.approx(weighted, rel=1e-14)
        for name in ("relative_norm", "kappa", "kappa_random_walk", "stable_rank"):
            assert logged[step][name] == pytest.approx(rows[name].mean(), rel=1e-14), name
    assert 0 < logged[2]["kappa"] < 1


def test_every_value_is_explained_in_the_guide(logged: dict[int, dict[str, float]]) -> None:
    guide = GUIDE.read_text().partition("## What is logged")[2].partition("\n## ")[0]
    names = {re.sub(r"step_\d+", "step_S", name) for line in logged.values() for name in line} - {
        "step"
    }
    assert len(names) == 11
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_capture_is_that_of_measuring_the_early_the_last_and_this_checkpoint(
    run: Path, logged: dict[int, dict[str, float]]
) -> None:
    for early, last, now in [(2, 4, 6), (6, 10, 12)]:
        table = measured(run, early, last, now)
        expected = table.loc[table["step"] == early, "capture16"].mean()
        assert logged[now][f"capture16/step_{early}"] == pytest.approx(expected, rel=TOLERANCE)
    assert not any("capture16/step_2" in logged[step] for step in (2, 4))  # the gap of one look
    assert not any("step_8" in name for name in logged[12])  # three references are kept


def test_similarity_to_earlier_updates(run: Path, logged: dict[int, dict[str, float]]) -> None:
    for early, now in [(2, 4), (6, 12)]:
        table = measured(run, early, now)
        expected = table.loc[table["step"] == early, "sim16_end"].mean()
        assert logged[now][f"sim16/step_{early}"] == pytest.approx(expected, rel=TOLERANCE)
        if early == now - 2:
            assert logged[now]["sim16_previous"] == pytest.approx(expected, rel=TOLERANCE)
            chance = table.loc[table["step"] == early, "sim16_chance"].mean()
            assert logged[now]["sim16_chance"] == pytest.approx(chance, rel=1e-14)
