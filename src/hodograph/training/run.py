"""Train a recipe into a run folder; the same call resumes what was killed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, Trainer
from trl import SFTTrainer

from hodograph.checkpoints import open_checkpoint
from hodograph.recipes import Evaluation, OpdObjective, Recipe, RlvrObjective
from hodograph.tasks import Example, Task, open_task
from hodograph.training.data import demonstration_dataset, prompt_dataset, reward_functions
from hodograph.training.evaluation import Examiner, eos_ids
from hodograph.training.folder import RunFolder, read_json, write_json
from hodograph.training.machine import one_process, storage_errors
from hodograph.training.models import open_model, open_tokenizer, require_shared_vocabulary
from hodograph.training.provenance import describe_environment, now
from hodograph.training.recorder import Guard, Recorder
from hodograph.training.settings import grpo_config, sft_config
from hodograph.training.trainer import OnPolicyTrainer

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainedRun:
    """A finished run."""

    path: Path
    final_checkpoint: Path
    steps: int
    """Steps trained; fewer than the recipe's when it stopped early."""
    evaluations: list[dict[str, float]]


def train(recipe: Recipe, out: Path, *, on_step: OnStep | None = None) -> TrainedRun:
    """Train `recipe` into the run folder `out` and return the finished run.

    A run that was killed continues from its last checkpoint, to the same bytes an unbroken run
    writes; a finished one returns at once. `on_step` is called with (step, steps) after each.

    Raises:
        SettingsError: the folder holds another recipe's run, the teacher's vocabulary differs,
            training diverged, or more than one process or GPU was given.
        CheckpointError: the student or the teacher cannot be read.
        StorageError: the disk is full, or the folder cannot be written or read back.
    """
    one_process()
    folder = RunFolder(out)
    if not folder.finished.exists():
        parts = _Parts.of(recipe)  # opened first: a bad model must not leave a folder behind
        with storage_errors(out):
            folder.claim(recipe)
            _run(recipe, folder, parts, on_step or (lambda step, steps: None))
    folder.claim(recipe)
    return _finished(folder)


@dataclass(frozen=True)
class _Parts:
    """What a recipe names, opened."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    teacher: PreTrainedModel | None

    @classmethod
    def of(cls, recipe: Recipe) -> "_Parts":
        task = open_task(recipe.task)
        tokenizer = open_tokenizer(recipe.student)
        teacher = None
        if recipe.teacher is not None:
            theirs = open_tokenizer(recipe.teacher)
            require_shared_vocabulary(tokenizer, theirs, recipe.teacher.path)
            teacher = open_model(recipe.teacher, recipe.seed)
        return cls(task, tokenizer, open_model(recipe.student, recipe.seed), teacher)


def _run(recipe: Recipe, folder: RunFolder, parts: _Parts, on_step: OnStep) -> None:
    resumed = folder.resumable()
    folder.rewind(resumed)
    _note_start(recipe, folder)
    trainer = _trainer(recipe, folder, parts)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_recorder(recipe, folder, parts, on_step))
    trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
    _note_end(folder, trainer.state.global_step)


def _trainer(recipe: Recipe, folder: RunFolder, parts: _Parts) -> Trainer:
    if not recipe.on_policy:
        examples = parts.task.training(recipe.seed, recipe.steps * recipe.batch.sequences)
        return SFTTrainer(
            model=parts.model,
            args=sft_config(recipe, folder.state),
            train_dataset=demonstration_dataset(examples, parts.tokenizer),
            processing_class=parts.tokenizer,
        )
    examples = parts.task.training(recipe.seed, recipe.steps * recipe.batch.prompts)
    ends = eos_ids(parts.model, parts.tokenizer)
    return OnPolicyTrainer(
        model=parts.model,
        args=grpo_config(recipe, folder.state),
        train_dataset=prompt_dataset(examples),
        reward_funcs=reward_functions(recipe, parts.task, examples, ends),
        processing_class=parts.tokenizer,
        **_composition(recipe, parts),
    )


def _composition(recipe: Recipe, parts: _Parts) -> dict[str, Any]:
    if isinstance(recipe.objective, OpdObjective):
        return {"alpha": 1.0, "teacher": parts.teacher}
    assert isinstance(recipe.objective, RlvrObjective)
    return {"alpha": 0.0, "zero_variance": recipe.objective.zero_variance}


def _recorder(recipe: Recipe, folder: RunFolder, parts: _Parts, on_step: OnStep) -> Recorder:
    stop, evaluation = recipe.stop, recipe.evaluation
    watch = Evaluation(prompts=stop.prompts) if stop else None
    return Recorder(
        recipe=recipe,
        folder=folder,
        model=parts.model,
        tokenizer=parts.tokenizer,
        examiner=_examiner(recipe, parts, evaluation) if evaluation else None,
        guard=Guard(_examiner(recipe, parts, watch), stop) if stop and watch else None,
        report=on_step,
    )


def _examiner(recipe: Recipe, parts: _Parts, evaluation: Evaluation) -> Examiner:
    examples: list[Example] = parts.task.evaluation(evaluation.seed, evaluation.prompts)
    return Examiner(
        task=parts.task,
        tokenizer=parts.tokenizer,
        examples=examples,
        temperature=recipe.sampling.temperature,
        max_completion_length=recipe.sampling.max_completion_length,
        seed=evaluation.seed,
        batch=evaluation.batch,
    )


def _note_start(recipe: Recipe, folder: RunFolder) -> None:
    old = read_json(folder.provenance) if folder.provenance.exists() else {"started": []}
    started = [*old["started"], now()]
    write_json(
        folder.provenance,
        describe_environment() | {"seed": recipe.seed, "started": started},
    )


def _note_end(folder: RunFolder, steps: int) -> None:
    w0_hash = open_checkpoint(folder.checkpoint(0)).digest()
    provenance = read_json(folder.provenance) | {"w0_hash": w0_hash, "finished": now()}
    write_json(folder.provenance, provenance)
    folder.finish(steps)


def _finished(folder: RunFolder) -> TrainedRun:
    end = read_json(folder.finished)
    evaluations = read_json(folder.evaluations) if folder.evaluations.exists() else []
    return TrainedRun(folder.path, folder.path / end["final_checkpoint"], end["steps"], evaluations)
