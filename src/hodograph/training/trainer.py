"""The on-policy trainer: TRL's GRPOTrainer, with the token advantages of `objectives`.

Shapes: B completions of the generation batch, P prompt tokens, T completion tokens.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from hodograph.errors import SettingsError
from hodograph.training.models import require_float32_masters
from hodograph.training.objectives import (
    log_ratio,
    masked_advantages,
    token_advantages,
    varied_groups,
)

Batch = dict[str, Any]
AGGREGATIONS = {"dapo": "token-mean", "grpo": "seq-mean-token-mean"}  # by TRL's loss_type


class OnPolicyTrainer(GRPOTrainer):
    """GRPOTrainer whose advantage of a token mixes a teacher's log-ratio with the reward.

    Args:
        alpha: Share of the teacher: 1 is on-policy distillation, 0 a policy gradient on rewards.
        teacher: Causal language model that scores the student's tokens; needed unless alpha is 0.
            Its forward is patched with TRL's fused head, and it is frozen.
        zero_variance: `mask` drops groups of equal rewards from the loss, and does not step the
            optimizer on a batch in which every group is dropped; `keep` is plain GRPO.

    Raises:
        SettingsError: weights that are not float32, or continuous batching, which casts the
            trained weights in place.
    """

    def __init__(
        self,
        *args: Any,
        alpha: float,
        teacher: PreTrainedModel | None = None,
        zero_variance: Literal["mask", "keep"] = "keep",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.use_transformers_continuous_batching:
            raise SettingsError(
                "continuous batching casts the trained weights to bfloat16 in place."
            )
        if (alpha == 0) != (teacher is None):
            raise SettingsError(f"alpha = {alpha}: a teacher is needed when alpha is not 0.")
        require_float32_masters(self.model_wrapped)
        group_size: Any = self.num_generations  # an int by now; declared optional
        self._group_size = int(group_size)
        self._alpha = alpha
        self._mask_groups = zero_variance == "mask"
        self._teacher = None if teacher is None else self._prepared(teacher)
        self._rewards_B = torch.empty(0)
        self._no_signal = False

    def training_step(
        self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | None
    ) -> Tensor:
        """Accumulate the gradient of one micro-batch.

        When every group of the batch is masked the gradients become None, so that the optimizer
        does nothing: on gradients of 0, momentum and weight decay would still move the weights.
        """
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self._no_signal:
            model.zero_grad(set_to_none=True)
        return loss

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        rewards_BF = super()._calculate_rewards(*args, **kwargs)
        self._rewards_B = (rewards_BF * self.reward_weights.to(rewards_BF.device)).nansum(dim=1)
        return rewards_BF

    def _generate_and_score_completions(self, inputs: list[Batch]) -> Batch:
        batch = super()._generate_and_score_completions(inputs)
        mask_BT = batch["completion_mask"].float()
        gap_BT = None if self._teacher is None else self._gap(batch, mask_BT)
        advantages_BT = token_advantages(batch["advantages"], gap_BT, mask_BT, self._alpha)
        if self._mask_groups:
            advantages_BT = self._without_equal_groups(advantages_BT, mask_BT)
        batch["advantages"] = advantages_BT
        return batch

    def _without_equal_groups(self, advantages_BT: Tensor, mask_BT: Tensor) -> Tensor:
        keep_B = varied_groups(self._rewards_B, self._group_size)
        self._no_signal = not bool(keep_B.any())
        return masked_advantages(advantages_BT, keep_B, mask_BT, AGGREGATIONS[self.loss_type])

    @torch.no_grad()
    def _gap(self, batch: Batch, mask_BT: Tensor) -> Tensor:
        gap_BT = log_ratio(
            self._logps(self.model, batch), self._logps(self._teacher, batch), mask_BT
        )
        reverse_kl = gap_BT.sum() / mask_BT.sum()
        self._metrics["train"]["opd/reverse_kl"].append(reverse_kl.item())
        return gap_BT

    def _logps(self, model: Any, batch: Batch) -> Tensor:
        """Log-probabilities of the sampled tokens at the sampling temperature, B x T."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        attended = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        logps_BT, _, _ = self._get_per_token_logps_and_entropies(
            model,
            ids,
            attended,
            batch["completion_ids"].size(1),
            batch_size=self.args.per_device_train_batch_size,
        )
        return logps_BT

    def _prepared(self, teacher: PreTrainedModel) -> Any:
        teacher.eval().requires_grad_(False)
        add_fused_lm_head(teacher, temperature=self.temperature)
        return self.accelerator.prepare_model(teacher, evaluation_mode=True)
