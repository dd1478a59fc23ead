"""The form of KL: over the whole vocabulary, instead of the sampled token's log-ratio.

Point: the trainer's forward pass, which then keeps the logits of both models.

Shapes: B completions, T tokens a completion, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import kl_div

FullForm = Literal["full_reverse", "full_forward"]


@dataclass(frozen=True)
class Scores:
    """What one forward pass tells about the sampled tokens, B x T each.

    Attributes:
        logps_BT: the student's log-probability of the sampled token, with its graph.
        entropy_BT: the student's entropy, in nats.
        aux_loss: load balancing of a mixture of experts, or None.
        teacher_logps_BT: the teacher's log-probability of the sampled token, if there is one.
        divergence_BT: full-vocabulary divergence with its graph, if it is the objective.
    """

    logps_BT: Tensor
    entropy_BT: Tensor
    aux_loss: Tensor | None
    teacher_logps_BT: Tensor | None
    divergence_BT: Tensor | None = None


def full_divergence(
    student_BTV: Float[Tensor, "B T V"], teacher_BTV: Float[Tensor, "B T V"], form: FullForm
) -> Float[Tensor, "B T"]:
    """Divergence of two distributions given as log-probabilities, in nats a token.

    `full_reverse` is KL(student || teacher) = sum_v p(v) (log p(v) - log q(v)), the divergence
    whose score-function estimate is the sampled form; `full_forward` is KL(teacher || student).
    """
    reverse = form == "full_reverse"
    of_BTV, from_BTV = (student_BTV, teacher_BTV) if reverse else (teacher_BTV, student_BTV)
    return kl_div(from_BTV, of_BTV, reduction="none", log_target=True).sum(dim=-1)


@dataclass(frozen=True)
class FullKl:
    """Scores whose divergence is differentiated through the whole softmax."""

    form: FullForm
    temperature: float

    def score(self, student: Any, teacher: Any, inputs: dict[str, Tensor]) -> Scores:
        """Return the scores of a micro-batch; memory grows with B x T x V of both models."""
        student_BTV, aux_loss = self._log_softmax(student, inputs)
        with torch.no_grad():
            teacher_BTV, _ = self._log_softmax(teacher, inputs)
        ids_BT1 = inputs["completion_ids"][..., None]
        return Scores(
            logps_BT=student_BTV.detach().gather(2, ids_BT1)[..., 0],
            entropy_BT=-(student_BTV.detach().exp() * student_BTV.detach()).sum(dim=-1),
            aux_loss=aux_loss,
            teacher_logps_BT=teacher_BTV.gather(2, ids_BT1)[..., 0],
            divergence_BT=full_divergence(student_BTV, teacher_BTV, self.form),
        )

    def _log_softmax(self, model: Any, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        length = inputs["completion_ids"].size(1)
        outputs = model(
            input_ids=torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
            attention_mask=torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1),
            logits_to_keep=length + 1,
        )
        logits_BTV = outputs.logits[:, :-1].float() / self.temperature
        return logits_BTV.log_softmax(dim=-1), getattr(outputs, "aux_loss", None)
