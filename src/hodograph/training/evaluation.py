"""Accuracy of a model on a task, sampled and greedy, without touching the training's randomness."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import fmean
from typing import Any

import torch
from transformers import (
    BatchEncoding,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from hodograph.tasks import Completion, Example, Task
from hodograph.tasks.task import stream_seed
from hodograph.training.estimates import sampled_estimates, standard_error


@dataclass(frozen=True)
class Accuracy:
    """Mean score over the evaluation prompts at one step."""

    step: int
    accuracy: float
    greedy_accuracy: float
    prompts: int
    temperature: float
    standard_error: float
    """Standard error of `accuracy` over prompts."""
    estimates: dict[str, float] = field(default_factory=dict)
    """avg@k and pass@k, where several samples were drawn of each prompt."""

    def as_json(self) -> dict[str, float]:
        """Return the entry of evaluations.json."""
        entry = asdict(self)
        estimates = entry.pop("estimates")
        return entry | estimates


@dataclass(frozen=True)
class Examiner:
    """Asks a model a fixed set of prompts."""

    task: Task
    tokenizer: PreTrainedTokenizerBase
    examples: list[Example]
    temperature: float
    max_completion_length: int
    seed: int
    batch: int
    samples: int = 1
    pass_at: tuple[int, ...] = ()

    def examine(self, model: PreTrainedModel, step: int) -> Accuracy:
        """Return sampled and greedy accuracy; equal weights give equal results.

        `accuracy` is that of the first sample of each prompt, so it does not depend on how many
        are drawn.
        """
        passes = [
            self._scores(model, self.temperature, self._seed(sample))
            for sample in range(self.samples)
        ]
        sampled = passes[0]
        several = list(zip(*passes, strict=True)) if self.samples > 1 else []
        return Accuracy(
            step=step,
            accuracy=fmean(sampled),
            greedy_accuracy=self.greedy(model),
            prompts=len(sampled),
            temperature=self.temperature,
            standard_error=standard_error(sampled),
            estimates=sampled_estimates(several, self.pass_at) if several else {},
        )

    def greedy(self, model: PreTrainedModel) -> float:
        """Return the mean score when the likeliest token is taken each time."""
        return fmean(self._scores(model, None, self.seed))

    def _seed(self, sample: int) -> int:
        return stream_seed("sample", self.seed, sample) if sample else self.seed

    def _scores(self, model: PreTrainedModel, temperature: float | None, seed: int) -> list[float]:
        starts = range(0, len(self.examples), self.batch)
        with _aside(model, seed):
            parts = [self.examples[start : start + self.batch] for start in starts]
            return [score for part in parts for score in self._part(model, part, temperature)]

    def _part(
        self, model: PreTrainedModel, examples: list[Example], temperature: float | None
    ) -> list[float]:
        inputs = self._inputs(examples).to(model.device)
        config = self._generation(model, temperature)
        generate: Any = model.generate  # its declared type leaves out the generation mixin
        ids = generate(**inputs, generation_config=config)[:, inputs["input_ids"].size(1) :]
        ended = torch.isin(ids, torch.tensor(config.eos_token_id, device=ids.device)).any(dim=1)
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        answers = map(Completion, texts, ended.tolist())
        return [self.task.score(a, e) for a, e in zip(answers, examples, strict=True)]

    def _inputs(self, examples: list[Example]) -> BatchEncoding:
        prompts: list[Any] = [example.prompt for example in examples]
        encode: Any = self.tokenizer  # the template's declared type is a union of six
        if not isinstance(prompts[0], str):
            encode = partial(encode.apply_chat_template, add_generation_prompt=True)
        ids = {"input_ids": encode(prompts)["input_ids"]}
        return self.tokenizer.pad(ids, padding_side="left", return_tensors="pt")

    def _generation(self, model: PreTrainedModel, temperature: float | None) -> GenerationConfig:
        sampling = {"temperature": temperature, "top_k": 0, "top_p": 1.0}
        return GenerationConfig(
            max_new_tokens=self.max_completion_length,
            do_sample=temperature is not None,
            eos_token_id=eos_ids(model, self.tokenizer),
            pad_token_id=self.tokenizer.pad_token_id,
            disable_compile=True,
            **(sampling if temperature is not None else {}),
        )


def eos_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return every token that ends a completion: the model's and the tokenizer's own."""
    declared = model.generation_config.eos_token_id
    listed = declared if isinstance(declared, list) else [declared]
    return sorted({i for i in (*listed, tokenizer.eos_token_id) if i is not None})


@contextmanager
def _aside(model: PreTrainedModel, seed: int) -> Iterator[None]:
    """Evaluate in eval mode with own random numbers, and leave both as they were.

    The model's own generation settings are set aside too: `generate` would fill ours from them.
    """
    training, settings = model.training, model.generation_config
    model.eval()
    model.generation_config = GenerationConfig(eos_token_id=settings.eos_token_id)
    try:
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            yield
    finally:
        model.generation_config = settings
        model.train(training)
