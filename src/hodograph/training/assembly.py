"""Put a recipe's parts together: task, models, trainer and recorder."""

from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, Trainer
from trl import SFTTrainer

from hodograph.monitor import Monitor
from hodograph.recipes import Evaluation, Recipe
from hodograph.tasks import Task, open_task
from hodograph.tasks.alphabet import require_writable
from hodograph.training.adapters.opening import adapted
from hodograph.training.composition import composition, open_rollout
from hodograph.training.data import demonstration_dataset, prompt_dataset, reward_functions
from hodograph.training.evaluation import Examiner, eos_ids
from hodograph.training.folder import RunFolder
from hodograph.training.generation import require_generation
from hodograph.training.interventions.rollout import RolloutSource
from hodograph.training.interventions.subspace.callback import SubspaceCallback, confine
from hodograph.training.interventions.subspace.opening import Confinement, open_subspace
from hodograph.training.models import open_model, open_tokenizer, require_shared_vocabulary
from hodograph.training.recorder import Guard, OnStep, Recorder
from hodograph.training.settings import grpo_config, sft_config
from hodograph.training.sharded import keep_float32
from hodograph.training.thinking import settle_thinking
from hodograph.training.trainer import OnPolicyTrainer
from hodograph.world import ALONE, World

FIRST_EXAMPLES = 64  # read before a folder is made; all of them before the first step
STOP_SEED = 11  # other prompts than the evaluation's, which shall not be selected on


@dataclass(frozen=True)
class Parts:
    """What a recipe names, opened."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    teacher: PreTrainedModel | None
    rollout: RolloutSource | None
    subspace: Confinement | None = None
    world: World = ALONE


def open_parts(recipe: Recipe, world: World = ALONE) -> Parts:
    """Open the task and the models of a recipe; nothing is written.

    Raises:
        SettingsError: vLLM is asked for and missing, there is no such task, the student's
            template has no thinking to choose, the teacher's vocabulary differs from the
            student's, an adapter or a subspace does not fit the student, or a file of completions
            cannot be read or does not fit the prompts.
        CheckpointError: a model, an adapter or another run cannot be read.
    """
    require_generation(recipe.generation)
    task = open_task(recipe.task)
    tokenizer = open_tokenizer(recipe.student)
    settle_thinking(tokenizer, recipe.task)
    _require_examples(recipe, task, tokenizer)
    teacher = None
    if recipe.teacher is not None:
        theirs = open_tokenizer(recipe.teacher)
        require_shared_vocabulary(tokenizer, theirs, recipe.teacher.place)
        teacher = open_model(recipe.teacher, recipe.seed)
    model = open_model(recipe.student, recipe.seed)
    if recipe.adapter is not None:
        model = adapted(recipe, recipe.adapter, model, tokenizer, task)
    subspace = None
    if recipe.subspace is not None:
        subspace = open_subspace(recipe, recipe.subspace, model, tokenizer, task)
    rollout = open_rollout(recipe, task, tokenizer, world)
    return Parts(task, tokenizer, model, teacher, rollout, subspace, world)


def _require_examples(recipe: Recipe, task: Task, tokenizer: PreTrainedTokenizerBase) -> None:
    """Ask for what training will ask for: a task that lacks it must not leave a folder behind."""
    require_writable(tokenizer, task.training(recipe.seed, FIRST_EXAMPLES))
    if recipe.evaluation is not None:
        task.evaluation(recipe.evaluation.seed, recipe.evaluation.prompts)
    if recipe.stop is not None:
        task.evaluation(STOP_SEED, recipe.stop.prompts)


def build_trainer(recipe: Recipe, folder: RunFolder, parts: Parts) -> Trainer:
    """Return TRL's SFTTrainer or our on-policy trainer, set as the recipe says."""
    build = _on_policy_trainer if recipe.on_policy else _sft_trainer
    trainer = build(recipe, folder, parts)
    trainer.remove_callback(PrinterCallback)
    if parts.subspace is not None:
        confine(trainer, SubspaceCallback(parts.subspace, folder, parts.model, parts.world))
    return trainer


def build_recorder(recipe: Recipe, folder: RunFolder, parts: Parts, on_step: OnStep) -> Recorder:
    """Return the callback that writes the run folder."""
    stop, evaluation = recipe.stop, recipe.evaluation
    watch = Evaluation(prompts=stop.prompts, seed=STOP_SEED) if stop else None
    return Recorder(
        recipe=recipe,
        folder=folder,
        model=parts.model,
        tokenizer=parts.tokenizer,
        examiner=_examiner(recipe, parts, evaluation) if evaluation else None,
        guard=Guard(_examiner(recipe, parts, watch), stop) if stop and watch else None,
        report=on_step,
        world=parts.world,
    )


def build_monitor(recipe: Recipe, folder: RunFolder) -> Monitor | None:
    """Return the callback that looks at the weights, if the recipe asks for it.

    It must be added before the recorder, which marks a saved state as whole.
    """
    if recipe.monitor is None:
        return None
    return Monitor(**recipe.monitor.model_dump(), folder=folder.state / "monitor")


def _sft_trainer(recipe: Recipe, folder: RunFolder, parts: Parts) -> Trainer:
    examples = parts.task.training(recipe.seed, recipe.steps * recipe.batch.sequences)
    require_writable(parts.tokenizer, examples)
    trainer = SFTTrainer(
        model=parts.model,
        args=sft_config(recipe, folder.state, parts.world.size),
        train_dataset=demonstration_dataset(examples, parts.tokenizer),
        processing_class=parts.tokenizer,
    )
    keep_float32(trainer.accelerator)
    return trainer


def _on_policy_trainer(recipe: Recipe, folder: RunFolder, parts: Parts) -> Trainer:
    examples = parts.task.training(recipe.seed, recipe.steps * recipe.batch.prompts)
    require_writable(parts.tokenizer, examples)
    ends = eos_ids(parts.model, parts.tokenizer)
    return OnPolicyTrainer(
        model=parts.model,
        args=grpo_config(recipe, folder.state, parts.world.size),
        train_dataset=prompt_dataset(examples),
        reward_funcs=reward_functions(recipe, parts.task, examples, ends, parts.world),
        processing_class=parts.tokenizer,
        teacher=parts.teacher,
        rollout=parts.rollout,
        world=parts.world,
        **composition(recipe, parts.task, examples, parts.world),
    )


def _examiner(recipe: Recipe, parts: Parts, evaluation: Evaluation) -> Examiner:
    return Examiner(
        task=parts.task,
        tokenizer=parts.tokenizer,
        examples=parts.task.evaluation(evaluation.seed, evaluation.prompts),
        temperature=recipe.sampling.temperature,
        max_completion_length=recipe.sampling.max_completion_length,
        seed=evaluation.seed,
        batch=evaluation.batch,
        samples=evaluation.samples,
        pass_at=evaluation.pass_at or (evaluation.samples,),
    )
