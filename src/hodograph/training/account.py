"""What was run, in the words of the field: the choices that papers and trainers leave unsaid."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from hodograph.recipes import (
    FileRollout,
    MixObjective,
    OnPolicyObjective,
    OpdObjective,
    Recipe,
    SftObjective,
)


def account(recipe: Recipe) -> dict[str, Any]:
    """Return what `provenance.json` says of the training itself."""
    optimizer = recipe.optimizer
    common = {
        "master_weights": "float32",
        "computation": "bfloat16 autocast" if torch.cuda.is_available() else "float32",
        "optimizer": "AdamW, decoupled weight decay",
        "betas": list(optimizer.betas),
        "eps": optimizer.eps,
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_grad_norm,
        "clip_order": "the gradient of the whole step is clipped, then AdamW steps",
        "temperature": recipe.sampling.temperature,
    }
    if isinstance(recipe.objective, SftObjective):
        return common | {"loss_agg": "token-mean"}
    return common | _on_policy(recipe, recipe.objective)


def _on_policy(recipe: Recipe, objective: OnPolicyObjective) -> dict[str, Any]:
    described: dict[str, Any] = {
        "loss_agg": objective.loss_agg,
        "alpha": objective.teacher_weight,
        "kl": _kl(objective),
        "gap_clamp": None,
        "normalise": getattr(objective, "normalise", "none"),
        "ratio_clip": [1 - objective.eps_clip, 1 + objective.eps_clip_high],
        "behaviour_logps": recipe.rollout.behaviour,
        "rollout": recipe.rollout.type,
        "generation": recipe.generation.model_dump(mode="json"),
        "zero_variance": getattr(objective, "zero_variance", None),
        "scale_rewards": getattr(objective, "scale_rewards", None),
        "selection": None if recipe.selection is None else recipe.selection.model_dump(mode="json"),
    }
    if isinstance(objective, MixObjective) and objective.opd_kl_coef is not None:
        described["advantage_scale"] = 1 / (1 + objective.opd_kl_coef)
    return described | _file(recipe)


def _kl(objective: OnPolicyObjective) -> str | None:
    if objective.teacher_weight == 0:
        return None
    if isinstance(objective, OpdObjective) and objective.kl != "sampled":
        return f"{objective.kl}, over the vocabulary, differentiated through the student"
    return "sampled: the student's log-probability in r is that of the step itself, held fixed"


def _file(recipe: Recipe) -> dict[str, str]:
    """Hash of a file of completions; a folder's data files are hashed in order of their names."""
    if not isinstance(recipe.rollout, FileRollout):
        return {}
    path, digest = Path(recipe.rollout.path), hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.glob("*.arrow")):
        digest.update(file.read_bytes())
    return {"rollout_sha256": digest.hexdigest()}
