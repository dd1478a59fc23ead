"""Translate a recipe into the settings of TRL's trainers."""

from pathlib import Path
from typing import Any

import torch
from trl import GRPOConfig, SFTConfig

from hodograph.recipes import (
    CosineSchedule,
    OnPolicyObjective,
    OpdObjective,
    Optimizer,
    Recipe,
    Schedule,
    SftObjective,
)
from hodograph.training.generation import generation_settings

LOSS_TYPES = {"token-mean": "dapo", "seq-mean-token-mean": "grpo"}  # in TRL's words


def sft_config(recipe: Recipe, state: Path, processes: int = 1) -> SFTConfig:
    """Return the settings of TRL's SFTTrainer; its state goes to `state`."""
    return SFTConfig(
        **_common(recipe, state, processes),
        train_sampling_strategy="sequential",
        shuffle_dataset=False,
        max_length=None,  # never cut a demonstration, nor drop one, silently
        packing=False,
    )


def grpo_config(recipe: Recipe, state: Path, processes: int = 1) -> GRPOConfig:
    """Return the settings of TRL's GRPOTrainer; its state goes to `state`."""
    objective = recipe.objective
    assert not isinstance(objective, SftObjective)
    return GRPOConfig(
        **_common(recipe, state, processes),
        **_rewards(objective),
        num_generations=recipe.batch.group_size,
        generation_batch_size=recipe.batch.sequences,
        num_iterations=1,  # every step is a generation boundary, so a run resumes bit-exactly
        max_completion_length=recipe.sampling.max_completion_length,
        temperature=recipe.sampling.temperature,
        top_p=1.0,
        top_k=0,
        beta=0.0,  # no reference model
        loss_type=LOSS_TYPES[objective.loss_agg],
        epsilon=objective.eps_clip,
        epsilon_high=objective.eps_clip_high,
        shuffle_dataset=False,
        disable_dropout=True,
        mask_truncated_completions=False,
        **generation_settings(recipe.generation),
        use_transformers_continuous_batching=False,
        log_completions=False,
    )


def _rewards(objective: OnPolicyObjective) -> dict[str, Any]:
    """Reward functions are the verifier and, when asked for, the coin; one of them counts."""
    if isinstance(objective, OpdObjective):
        return {"scale_rewards": "none", "reward_weights": [1.0]}
    weights = [1.0] if objective.reward == "verifier" else [0.0, 1.0]
    return {"scale_rewards": objective.scale_rewards, "reward_weights": weights}


def _common(recipe: Recipe, state: Path, processes: int) -> dict[str, Any]:
    batch = recipe.batch
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(state),
        "seed": recipe.seed,
        "max_steps": recipe.steps,
        "per_device_train_batch_size": batch.sequences // (batch.accumulation * processes),
        "gradient_accumulation_steps": batch.accumulation,
        "use_cpu": not on_gpu,
        "ddp_find_unused_parameters": False,  # transformers stacks experts, so all get a gradient
        "bf16": on_gpu,
        "activation_checkpointing": batch.gradient_checkpointing,
        "dataloader_pin_memory": on_gpu,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",  # the recorder asks for a save where the recipe lists one
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        **_optimizer(recipe.optimizer),
    }


def _optimizer(optimizer: Optimizer) -> dict[str, Any]:
    return {
        "optim": "adamw_torch",
        "learning_rate": optimizer.lr,
        "adam_beta1": optimizer.betas[0],
        "adam_beta2": optimizer.betas[1],
        "adam_epsilon": optimizer.eps,
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_grad_norm,
        **_schedule(optimizer.schedule),
    }


def _schedule(schedule: Schedule) -> dict[str, Any]:
    if isinstance(schedule, CosineSchedule):
        kind, extra = "cosine_with_min_lr", {"min_lr_rate": schedule.floor}
    else:
        kind, extra = "constant_with_warmup", {}
    return {
        "lr_scheduler_type": kind,
        "lr_scheduler_kwargs": extra,
        "warmup_steps": schedule.warmup_steps,
    }
