"""Write a teacher's completions of a recipe's training prompts, for `rollout.type = "file"`.

    python examples/teacher_completions.py RECIPE.toml completions.jsonl

Each prompt is answered `batch.group_size` times at the sampling temperature. Any other engine may
write the file instead: docs/guides/train.md describes it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from hodograph.recipes import Recipe, load_recipe
from hodograph.tasks import Example, open_task
from hodograph.training.evaluation import eos_ids
from hodograph.training.models import open_model, open_tokenizer
from hodograph.training.thinking import settle_thinking


def main(source: Path, target: Path) -> None:
    """Answer the prompts, a step's batch at a time."""
    recipe = load_recipe(source)
    if recipe.teacher is None:
        sys.exit(f"{source}: there is no [teacher] to answer.")
    model, tokenizer = open_model(recipe.teacher, 0).eval(), open_tokenizer(recipe.teacher)
    settle_thinking(tokenizer, recipe.task)
    asked = open_task(recipe.task).training(recipe.seed, recipe.steps * recipe.batch.prompts)
    torch.manual_seed(recipe.seed)
    starts = range(0, len(asked), recipe.batch.prompts)
    with target.open("w", encoding="utf-8") as file:
        for start in track(starts, "answering"):
            examples = asked[start : start + recipe.batch.prompts]
            for row in answered(model, tokenizer, examples, recipe):
                file.write(json.dumps(row) + "\n")


@torch.no_grad()
def answered(model: Any, tokenizer: Any, examples: list[Example], recipe: Recipe) -> list[Any]:
    """Return a row for each completion of each prompt."""
    prompts = [example.prompt for example in examples]
    chat = not isinstance(prompts[0], str)
    encode = tokenizer.apply_chat_template if chat else tokenizer
    options = {"add_generation_prompt": True} if chat else {}
    ids = {"input_ids": encode(prompts, **options)["input_ids"]}
    inputs = tokenizer.pad(ids, padding_side="left", return_tensors="pt")
    ends = eos_ids(model, tokenizer)
    drawn = model.generate(
        **inputs,
        do_sample=True,
        temperature=recipe.sampling.temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=recipe.sampling.max_completion_length,
        num_return_sequences=recipe.batch.group_size,
        eos_token_id=ends,
        pad_token_id=tokenizer.pad_token_id,
    )[:, inputs["input_ids"].size(1) :]
    rows = [through_end(row, ends) for row in drawn.tolist()]
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
    repeated = [prompt for prompt in prompts for _ in range(recipe.batch.group_size)]
    return [
        {"prompt": prompt, "completion": text, "completion_ids": row}
        for prompt, text, row in zip(repeated, texts, rows, strict=True)
    ]


def through_end(ids: list[int], ends: list[int]) -> list[int]:
    """Return the tokens up to the first that ends a text, or all."""
    return next((ids[: i + 1] for i, token in enumerate(ids) if token in ends), ids)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
