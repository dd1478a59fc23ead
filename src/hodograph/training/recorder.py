"""Watch a training run: checkpoints, learning-rate sums, metrics and accuracies."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
)

from hodograph.atomic import write_json
from hodograph.errors import SettingsError
from hodograph.monitor.logged import PREFIX
from hodograph.recipes import Recipe, Stop
from hodograph.training.evaluation import Examiner
from hodograph.training.folder import STEP_FILE, RunFolder, appearing_whole, read_json
from hodograph.training.saving import Weights, gathered_weights, write_model
from hodograph.world import World

OnStep = Callable[[int, int], None]  # (step, steps of the recipe)

METRICS = {  # TRL's names, and ours
    "loss": "loss",
    "learning_rate": "lr",
    "grad_norm": "grad_norm",
    "opd/reverse_kl": "opd/reverse_kl",
    "opd/forward_kl": "opd/forward_kl",
    "opd/divergence": "opd/divergence",
    "mix/opd_rms": "mix/opd_rms",
    "mix/reward_rms": "mix/reward_rms",
    "selection/kept": "selection/kept",
    "selection/gap": "selection/gap",
    "rollout/teacher": "rollout/teacher",
    "resampled": "resampled",
    "sampling/sampling_logp_difference/mean": "generation/logp_difference",
    "sampling/sampling_logp_difference/max": "generation/logp_difference_max",
    "sampling/importance_sampling_ratio/min": "generation/ratio_min",
    "sampling/importance_sampling_ratio/mean": "generation/ratio",
    "sampling/importance_sampling_ratio/max": "generation/ratio_max",
    "rewards/verifier/mean": "reward/mean",
    "rewards/random/mean": "reward/random",
    "frac_reward_zero_std": "reward/zero_variance",
    "completions/mean_length": "completion/length",
    "completions/clipped_ratio": "completion/truncated",
    "clip_ratio/region_mean": "clipped",
    "entropy": "entropy",
    "mean_token_accuracy": "token_accuracy",
    "subspace/gradient_energy": "subspace/gradient_energy",
    "subspace/update_energy": "subspace/update_energy",
    "subspace/displacement": "subspace/displacement",
}


@dataclass
class Sums:
    """Sums over the steps the optimizer took: of the learning rate, and of it times the decay."""

    learning_rate: float = 0.0
    weight_decay: float = 0.0
    skipped: int = 0


@dataclass(frozen=True)
class Guard:
    """Ends a run early: asks for greedy accuracy every so many steps."""

    examiner: Examiner
    stop: Stop

    def ask(self, model: PreTrainedModel, step: int) -> float | None:
        """Return the greedy accuracy if this step is due, else None."""
        return self.examiner.greedy(model) if step % self.stop.every == 0 else None


@dataclass
class Recorder(TrainerCallback):
    """Writes what the run folder promises, at the steps the recipe lists."""

    recipe: Recipe
    folder: RunFolder
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    examiner: Examiner | None
    guard: Guard | None
    report: OnStep
    world: World

    def __post_init__(self) -> None:
        self._sums = Sums()
        self._tokens = 0
        self._greedy: float | None = None
        self._geometry: dict[str, float] = {}

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record step 0, or take up the sums where the resumed checkpoint left them."""
        self._tokens = int(state.num_input_tokens_seen)
        if state.global_step == 0:
            self._record(0, last=False)
        else:
            kept = read_json(self.folder.checkpoint(state.global_step) / STEP_FILE)
            names = ("learning_rate_sum", "weight_decay_sum", "skipped_steps")
            self._sums = Sums(*(kept[name] for name in names))

    def on_pre_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add up the learning rate of a step that will move the weights."""
        if all(parameter.grad is None for parameter in self.model.parameters()):
            self._sums.skipped += 1
            return
        rate = kwargs["optimizer"].param_groups[0]["lr"]
        self._sums.learning_rate += rate
        self._sums.weight_decay += rate * self.recipe.optimizer.weight_decay

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate and save where the recipe says so, and end the run when it is good enough."""
        step = state.global_step
        if self.guard is not None:
            found = self.guard.ask(self.model, step)
            self._greedy = self.world.decided(lambda: found)  # the last bits may differ elsewhere
            reached = self._greedy is not None and self._greedy >= self.guard.stop.greedy_accuracy
            control.should_training_stop = control.should_training_stop or reached
        last = control.should_training_stop or step == self.recipe.steps
        control.should_save = self._record(step, last)

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Append the step's metrics."""
        if logs is None or "loss" not in logs:
            self._geometry = _geometry(logs or {})  # else the run's summary, which holds times
            return
        if not math.isfinite(logs["loss"]):
            raise SettingsError(
                f"{self.folder.path}: the loss is {logs['loss']} at step {state.global_step}.\n"
                "  Training diverged: lower optimizer.lr or optimizer.max_grad_norm."
            )
        line = self._line(state.global_step, logs)
        if self.world.first:
            with self.folder.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            self.report(state.global_step, self.recipe.steps)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Mark the trainer state as whole, once every process has written its part."""
        self.world.gathered(None)
        self.world.decided(lambda: self.folder.complete_state(state.global_step, self.world))

    def _record(self, step: int, last: bool) -> bool:
        """Evaluate and save if this step calls for it; return whether it was saved."""
        listed = self.recipe.evaluation.steps if self.recipe.evaluation else ()
        if self.examiner is not None and (last or step in listed):
            self._evaluate(self.examiner, step)
        saved = last or step == 0 or step in self.recipe.save.steps
        if saved:
            self._save(step)
        return saved and step > 0

    def _evaluate(self, examiner: Examiner, step: int) -> None:
        """All processes evaluate: a model that is spread over them answers only together."""
        accuracy = examiner.examine(self.model, step).as_json()
        self.world.decided(lambda: self._note(accuracy))

    def _note(self, accuracy: dict[str, float]) -> None:
        path = self.folder.evaluations
        entries = read_json(path) if path.exists() else []
        write_json(path, [*entries, accuracy])

    def _save(self, step: int) -> None:
        weights = gathered_weights(self.model, self.recipe.save.dtype, keep=self.world.first)
        self.world.decided(lambda: self._write(step, weights))

    def _write(self, step: int, weights: Weights) -> None:
        with appearing_whole(self.folder.checkpoint(step)) as folder:
            write_model(self.model, self.tokenizer, folder, weights)
            write_json(
                folder / STEP_FILE,
                {
                    "step": step,
                    "learning_rate_sum": self._sums.learning_rate,
                    "weight_decay_sum": self._sums.weight_decay,
                    "skipped_steps": self._sums.skipped,
                },
            )

    def _line(self, step: int, logs: Mapping[str, float]) -> dict[str, float]:
        line = {"step": step} | {ours: logs[key] for key, ours in METRICS.items() if key in logs}
        line["tokens"] = int(logs["num_tokens"]) - self._tokens
        self._tokens = int(logs["num_tokens"])
        if self._greedy is not None:
            line["greedy_accuracy"] = self._greedy
        line |= self._geometry
        self._geometry = {}
        return line


def _geometry(logs: Mapping[str, float]) -> dict[str, float]:
    """What the monitor logs at the end of a step, just before the step's own line."""
    return {name: value for name, value in logs.items() if name.startswith(PREFIX)}
