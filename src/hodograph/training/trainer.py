"""The on-policy trainer: TRL's GRPOTrainer, with the token advantages of `objectives`.

Shapes: B completions of the generation batch or of a micro-batch, T completion tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from torch import Tensor, nn
from torch.distributed.fsdp import register_fsdp_forward_method
from transformers import PreTrainedModel
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from hodograph.errors import SettingsError
from hodograph.training.interventions.divergence import FullKl, Scores
from hodograph.training.interventions.resampling import Resampling
from hodograph.training.interventions.rollout import Draw, Role, RolloutSource, TokenIds
from hodograph.training.interventions.selection import TokenSelection
from hodograph.training.models import require_float32_masters
from hodograph.training.objectives import (
    averaged,
    inverse_rms,
    masked_outcomes,
    varied_groups,
)
from hodograph.training.sharded import keep_float32
from hodograph.training.signal import Batch, SignalRule, gap
from hodograph.world import ALONE, World

AGGREGATIONS = {"dapo": "token-mean", "grpo": "seq-mean-token-mean"}  # by TRL's loss_type


class OnPolicyTrainer(GRPOTrainer):
    """GRPOTrainer whose advantage of a token mixes a teacher's log-ratio with the reward.

    With `alpha = 0` and everything else left out it is TRL's own trainer, bit for bit.

    Args:
        alpha: Share of the teacher: 1 is on-policy distillation, 0 a policy gradient on rewards.
        teacher: Causal language model that scores the tokens; needed unless alpha is 0.
            Its forward is patched with TRL's fused head, and it is frozen.
        normalise: Divide each part of the advantage by its root mean square over the step's tokens.
        full_kl: Minimise a full-vocabulary divergence in place of the sampled log-ratio.
        zero_variance: `mask` drops groups of equal rewards from the reward's part of the loss;
            `keep` is plain GRPO. Unless it is `keep`, a batch whose advantages are all zero does
            not step the optimizer.
        resampling: Replaces groups of equal rewards, before `zero_variance` meets what is left.
        selection: Tokens that carry the signal; all of them when None.
        rollout: Who answers; the student when None.
        true_ratio: Take the ratio of the loss to the teacher, where the teacher answered.
        corrected: Let the ratio of the trainer's to vLLM's probabilities multiply the loss, where
            vLLM samples.
        world: The processes that train; each holds whole groups, in the order of their ranks.

    Raises:
        SettingsError: weights that are not float32, no teacher where one is needed, or continuous
            batching, which casts the trained weights in place.
    """

    def __init__(
        self,
        *args: Any,
        alpha: float,
        teacher: PreTrainedModel | None = None,
        normalise: bool = False,
        full_kl: FullKl | None = None,
        zero_variance: Literal["mask", "keep"] = "keep",
        resampling: Resampling | None = None,
        selection: TokenSelection | None = None,
        rollout: RolloutSource | None = None,
        true_ratio: bool = False,
        corrected: bool = True,
        world: World = ALONE,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        keep_float32(self.accelerator)
        if self.use_transformers_continuous_batching:
            raise SettingsError(
                "continuous batching casts the trained weights to bfloat16 in place."
            )
        if teacher is None and (alpha > 0 or full_kl is not None or true_ratio):
            raise SettingsError(
                f"a teacher is needed: alpha is {alpha:g}, or full KL or a true ratio is set."
            )
        require_float32_masters(self.model_wrapped)
        group_size: Any = self.num_generations  # an int by now; declared optional
        self._group_size = int(group_size)
        self._rule = SignalRule(alpha, normalise, full_kl is not None, selection, true_ratio)
        self._world = world
        self._corrected = corrected
        self._teacher: Any = None if teacher is None else self._prepared(teacher)
        self._normalise = normalise
        self._full_kl = full_kl
        self._plain_zeros = zero_variance == "keep"
        self._resampling = resampling
        self._selection = selection
        self._rollout = rollout
        self._draw = Draw(0, 0, [])
        self._drawn: dict[str, Tensor] = {}
        self._scores: Scores | None = None
        self._signal = False

    def training_step(
        self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | None
    ) -> Tensor:
        """Accumulate the gradient of one micro-batch.

        Where every advantage of a step is zero its gradients become None, so that the optimizer
        does nothing: on gradients of 0, momentum and weight decay would still move the weights.
        """
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.accelerator.sync_gradients and not any(self._world.gathered(self._signal)):
            model.zero_grad(set_to_none=True)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the means over the step's tokens to TRL's metrics."""
        for name, mean in self._rule.tally.drain(self._world).items():
            self._metrics["train"][name].append(mean)
        super().log(logs, start_time)

    # A step's batch: generated, rewarded, its outcomes settled.

    def _generate_and_score_completions(self, inputs: list[Batch]) -> Batch:
        batch = self._generated(inputs, 0)
        step = self.state.global_step
        if self._resampling is not None:
            with self._metrics_of_the_first_draw():
                batch, replaced = self._resampling.fill(
                    batch, step, self._generated, self._tokenizer.pad_token_id
                )
            self._metrics["train"]["resampled"].append(replaced)
        self._signal = self._plain_zeros
        self._settle_outcomes(batch)
        if self._selection is not None:
            shape = batch["completion_mask"].shape
            lots_BT = self._selection.lots(step, self._world.rank * shape[0], shape)
            batch["lots"] = lots_BT.to(batch["completion_mask"].device)
        return batch

    def _generated(self, rows: list[Batch], attempt: int) -> Batch:
        """Return TRL's batch with each completion's reward and whether it is the teacher's."""
        indices = [row.get("index", -1) for row in rows]
        self._draw = Draw(self.state.global_step, attempt, indices)
        batch = super()._generate_and_score_completions(rows)
        if not self._corrected:
            batch["importance_sampling_ratio"].fill_(1.0)
        return batch | self._drawn

    def _generate_single_turn(self, prompt_ids: list[TokenIds], *rest: Any, **named: Any) -> Any:
        by_trl = super()._generate_single_turn

        def generate(prompts: list[TokenIds]) -> Any:
            return by_trl(prompts, *rest, **named)

        if self._rollout is None:
            return generate(prompt_ids)

        def sample(role: Role, prompts: list[TokenIds]) -> list[TokenIds]:
            with self._acting(role):
                return generate(prompts)[0]

        ids, by_teacher = self._rollout.completions(prompt_ids, self._draw, sample)
        self._drawn["by_teacher"] = torch.tensor(by_teacher, device=self.accelerator.device)
        return ids, None

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        rewards_BF = super()._calculate_rewards(*args, **kwargs)
        weights_F = self.reward_weights.to(rewards_BF.device)
        rewards_B = (rewards_BF * weights_F).nansum(dim=1)  # of all processes
        self._drawn["rewards"] = rewards_B.chunk(self._world.size)[self._world.rank]
        return rewards_BF

    def _settle_outcomes(self, batch: Batch) -> None:
        mask_BT, rewards_B = batch["completion_mask"].float(), batch.pop("rewards")
        if not self._plain_zeros:
            keep_B = varied_groups(rewards_B, self._group_size)
            batch["advantages"] = masked_outcomes(
                batch["advantages"], keep_B, mask_BT, AGGREGATIONS[self.loss_type], self._world
            )
        if self._normalise:
            outcome_BT = batch["advantages"][:, None].expand_as(mask_BT)
            batch["advantages"] = batch["advantages"] * inverse_rms(
                outcome_BT, mask_BT, self._world
            )
            with torch.no_grad():
                gap_BT = gap(self._score(self.model, batch), mask_BT)
            batch["gap_scale"] = inverse_rms(gap_BT, mask_BT, self._world)

    # A micro-batch: scored once, its advantages set, TRL's loss.

    def _compute_loss(self, model: Any, inputs: Batch) -> Tensor:
        scores = self._score(model, inputs)
        signal = self._rule.of(inputs, scores)
        self._signal |= self._full_kl is not None or bool(signal.loss_inputs["advantages"].any())
        self._scores = scores
        loss = super()._compute_loss(model, inputs | signal.loss_inputs)
        if scores.divergence_BT is not None:
            loss = loss + self._averaged(scores.divergence_BT * signal.weights_BT, inputs)
        return loss

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        """Return the scores of the micro-batch whose loss is computed, or score with TRL."""
        scores, self._scores = self._scores, None
        if scores is not None:
            return scores.logps_BT, scores.entropy_BT, scores.aux_loss
        return super()._get_per_token_logps_and_entropies(*args, **kwargs)

    def _score(self, model: Any, inputs: Batch) -> Scores:
        if self._full_kl is not None:
            with self.accelerator.autocast():
                return self._full_kl.score(model, self._teacher, inputs)
        logps_BT, entropy_BT, aux_loss = self._sampled(model, inputs, with_entropy=True)
        teacher_logps_BT = None
        if self._teacher is not None:
            with torch.no_grad():
                teacher_logps_BT = self._sampled(self._teacher, inputs)[0]
        return Scores(logps_BT, entropy_BT, aux_loss, teacher_logps_BT)

    def _sampled(self, model: Any, inputs: Batch, with_entropy: bool = False) -> Any:
        """TRL's scores of the sampled tokens, at the sampling temperature."""
        return self._get_per_token_logps_and_entropies(
            model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
            torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1),
            inputs["completion_ids"].size(1),
            batch_size=self.args.per_device_train_batch_size,
            compute_entropy=with_entropy,
            compute_aux_loss=with_entropy and self.aux_loss_enabled,
        )

    def _averaged(self, divergence_BT: Tensor, inputs: Batch) -> Tensor:
        mask_BT = inputs["completion_mask"].float()
        self._rule.tally.add("opd/divergence", divergence_BT.detach(), mask_BT)
        micro_batches: Any = self.current_gradient_accumulation_steps
        aggregation, tokens = AGGREGATIONS[self.loss_type], inputs["num_items_in_batch"]
        return averaged(
            divergence_BT, mask_BT, aggregation, tokens, micro_batches, self._world.size
        )

    @contextmanager
    def _acting(self, role: Role) -> Iterator[None]:
        """Let the teacher generate in the student's place."""
        student = self.model_wrapped
        self.model_wrapped = self._teacher if role == "teacher" else student
        try:
            yield
        finally:
            self.model_wrapped = student

    @contextmanager
    def _metrics_of_the_first_draw(self) -> Iterator[None]:
        """Keep what TRL noted of the step's own prompts: the others are not a fair sample."""
        noted = {name: list(values) for name, values in self._metrics["train"].items()}
        yield
        tokens = self._metrics["train"]["num_tokens"]
        self._metrics["train"].update(noted | {"num_tokens": tokens})

    def _prepared(self, teacher: PreTrainedModel) -> Any:
        teacher.eval().requires_grad_(False)
        add_fused_lm_head(teacher, temperature=self.temperature)
        if not self.is_fsdp_enabled:
            return self.accelerator.prepare_model(teacher, evaluation_mode=True)
        sharded = fsdp2_prepare_model(self.accelerator, teacher)
        register_fsdp_forward_method(sharded, "generate")
        return sharded
