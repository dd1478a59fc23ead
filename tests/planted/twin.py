"""The loss of an on-policy step written out in plain PyTorch, completion by completion.

It shares no code with the library: masks, groups, mixing, selection, ratios, divergences and means
are stated here once more, as a reader of the documentation would write them.

Shapes: T tokens of a completion, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hodograph.recipes import Recipe


@dataclass
class Answer:
    """One completion, as both models see it; the teacher's are None without a teacher."""

    logps_TV: Tensor
    teacher_TV: Tensor | None
    ids_T: Tensor
    lots_T: Tensor | None
    by_teacher: bool
    outcome: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def logps_T(self) -> Tensor:
        return self.logps_TV.gather(1, self.ids_T[:, None])[:, 0]

    @property
    def gap_T(self) -> Tensor:
        theirs_T = self.teacher_TV.gather(1, self.ids_T[:, None])[:, 0]
        return (self.logps_T - theirs_T).detach()


def twin_loss(
    recipe: Recipe, student: Any, teacher: Any, batch: dict[str, Tensor], rewards: list[float]
) -> Tensor:
    """The loss of one step over a generated batch, given in generation order."""
    answers = [_answer(recipe, student, teacher, batch, row) for row in range(len(rewards))]
    _set_outcomes(recipe, answers, rewards)
    terms = [_weights(recipe, answer) * _terms(recipe, answer) for answer in answers]
    if recipe.objective.loss_agg == "token-mean":
        return torch.cat(terms).sum() / sum(len(term) for term in terms)
    return torch.stack([term.mean() for term in terms]).mean()


def _answer(recipe: Recipe, student: Any, teacher: Any, batch: dict[str, Tensor], row: int) -> Any:
    prompt = batch["prompt_ids"][row][batch["prompt_mask"][row].bool()]
    kept = batch["completion_mask"][row].bool()
    completion = batch["completion_ids"][row][kept]

    def score(model: Any) -> Tensor:
        logits_SV = model(input_ids=torch.cat([prompt, completion])[None]).logits[0]
        completion_TV = logits_SV[len(prompt) - 1 : -1] / recipe.sampling.temperature
        return completion_TV.log_softmax(-1)

    with torch.no_grad():
        teacher_TV = None if teacher is None else score(teacher)
    lots_T = batch["lots"][row][kept] if "lots" in batch else None
    by_teacher = bool(batch["by_teacher"][row]) if "by_teacher" in batch else False
    return Answer(score(student), teacher_TV, completion, lots_T, by_teacher)


def _set_outcomes(recipe: Recipe, answers: list[Answer], rewards: list[float]) -> None:
    """Group-normalised rewards; what the other groups lose in `mask`, the varied ones gain."""
    objective, size = recipe.objective, recipe.batch.group_size
    if objective.type == "opd":
        return
    for start in range(0, len(answers), size):
        group = torch.tensor(rewards[start : start + size], dtype=torch.float64)
        spread = group.std() + 1e-4 if objective.scale_rewards == "group" else 1.0
        for answer, value in zip(answers[start : start + size], group, strict=True):
            answer.outcome = float((value - group.mean()) / spread)
    if objective.zero_variance == "mask":
        by_tokens = objective.loss_agg == "token-mean"
        sizes = [len(answer.ids_T) if by_tokens else 1 for answer in answers]
        kept = sum(n for n, answer in zip(sizes, answers, strict=True) if abs(answer.outcome) > 0)
        for answer in answers:
            answer.outcome *= sum(sizes) / kept
    if objective.type == "mix" and objective.normalise == "batch":
        gaps_T = torch.cat([answer.gap_T for answer in answers])
        outcomes_T = torch.cat([torch.full(a.ids_T.shape, a.outcome) for a in answers]).double()
        for answer in answers:
            answer.scale = tuple(1 / float(x.square().mean().sqrt()) for x in (gaps_T, outcomes_T))


def _terms(recipe: Recipe, answer: Answer) -> Tensor:
    """What each token adds to the loss, before selection."""
    objective = recipe.objective
    if getattr(objective, "kl", "sampled") != "sampled":
        p_TV, q_TV = answer.logps_TV, answer.teacher_TV
        reverse_T = (p_TV.exp() * (p_TV - q_TV)).sum(-1)
        forward_T = (q_TV.exp() * (q_TV - p_TV)).sum(-1)
        return reverse_T if objective.kl == "full_reverse" else forward_T
    alpha = {"opd": 1.0, "rlvr": 0.0}.get(objective.type)
    if alpha is None:
        c = objective.opd_kl_coef
        alpha = objective.alpha if c is None else c / (1 + c)
    advantage_T = (1 - alpha) * answer.outcome * answer.scale[1] * torch.ones(len(answer.ids_T))
    if alpha > 0:
        advantage_T = advantage_T - alpha * answer.gap_T * answer.scale[0]
    old_T = answer.logps_T.detach()
    if answer.by_teacher and recipe.rollout.behaviour == "teacher":
        old_T = old_T - answer.gap_T
    ratio_T = (answer.logps_T - old_T).exp()
    clipped_T = ratio_T.clamp(1 - objective.eps_clip, 1 + objective.eps_clip_high)
    return -torch.minimum(ratio_T * advantage_T, clipped_T * advantage_T)


def _weights(recipe: Recipe, answer: Answer) -> Tensor:
    """1 for every token, or what the selection makes of it."""
    length, settings = len(answer.ids_T), recipe.selection
    if settings is None:
        return torch.ones(length, dtype=torch.float64)
    p_TV = answer.logps_TV.detach()
    scores = {
        "largest_gap": lambda: answer.gap_T,
        "smallest_gap": lambda: -answer.gap_T,
        "entropy": lambda: -(p_TV.exp() * p_TV).sum(-1),
        "random": lambda: answer.lots_T,
        "position": lambda: torch.arange(length) * (1 if settings.where == "last" else -1),
    }[settings.type]()
    best_first = sorted(range(length), key=lambda place: (-float(scores[place]), place))
    kept = best_first[: max(1, round(settings.rho * length))]
    weights_T = torch.zeros(length, dtype=torch.float64)
    weights_T[kept] = length / len(kept) if settings.compensate else 1.0
    return weights_T
