"""How often the layers' inputs are said to explain a lock: where they do, and where they do not.

    make demo && python benchmarks/calibrate_inputs.py runs/demo/seed_0/sft [TRAJECTORIES]

On the W0 of a run, trajectories of six checkpoints whose updates are planted, from second moments
of the layers' inputs over the task's demonstrations of another seed than the measured ones. Each is
measured by `hodograph.measure` with its default thresholds, as float32 storage shows it. A step's
update has a relative norm of 0.2 %.

M rows, N columns, T tokens.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness import machine, table
from hodograph import measure
from hodograph.inputs.model import open_model, open_tokenizer
from hodograph.inputs.source import open_source
from hodograph.inputs.tokens import bounded, encoded

CHECKPOINTS, SIZE, TOKENS, BATCH = 6, 2e-3, 16384, 2048
DIRECTIONS = 8  # of a planted lock
ADAM_STEPS, BETAS = 16, (0.9, 0.98)  # of an interval, as in the demo
Step = Callable[[Tensor, Tensor, torch.Generator, dict[str, Tensor]], Tensor]


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    """Independent Gaussians."""
    return torch.randn(*shape, generator=generator)


def errors(weight_MN: Tensor, inputs_TN: Tensor, g: torch.Generator, _: dict) -> Tensor:
    """Independent Gaussian output errors at every token of the texts: Z C^{1/2}."""
    return normal(g, len(weight_MN), len(inputs_TN)) @ inputs_TN


def errors_adam(weight_MN: Tensor, inputs_TN: Tensor, g: torch.Generator, state: dict) -> Tensor:
    """The same at the tokens of a batch each step, through Adam."""
    total_MN = torch.zeros_like(weight_MN)
    for _ in range(ADAM_STEPS):
        start = int(torch.randint(len(inputs_TN) - BATCH, (), generator=g))
        batch_TN = inputs_TN[start : start + BATCH]
        gradient_MN = normal(g, len(weight_MN), BATCH) @ batch_TN
        count = state["count"] = state.get("count", torch.tensor(0)) + 1
        for name, beta, value in (("m", BETAS[0], gradient_MN), ("v", BETAS[1], gradient_MN**2)):
            state[name] = beta * state.get(name, torch.zeros_like(value)) + (1 - beta) * value
        m_MN, v_MN = (state[n] / (1 - b ** int(count)) for n, b in zip("mv", BETAS, strict=True))
        total_MN += m_MN / (v_MN.sqrt() + 1e-12 * v_MN.sqrt().mean())
    return total_MN


def lock(weight_MN: Tensor, _: Tensor, g: torch.Generator, state: dict) -> Tensor:
    """A few fixed directions that have nothing to do with the inputs, and a little noise."""
    if not state:
        state["left"] = normal(g, len(weight_MN), DIRECTIONS)
        state["right"] = normal(g, DIRECTIONS, weight_MN.shape[1]) / DIRECTIONS**0.5
    wander = 1 + 0.3 * normal(g, DIRECTIONS)
    return (state["left"] * wander) @ state["right"] + 0.1 * normal(g, *weight_MN.shape)


def new(weight_MN: Tensor, inputs_TN: Tensor, g: torch.Generator, _: dict) -> Tensor:
    """A few directions, others each interval."""
    return lock(weight_MN, inputs_TN, g, {})


def mixed(weight_MN: Tensor, inputs_TN: Tensor, g: torch.Generator, state: dict) -> Tensor:
    """Half of the energy as `lock`, half as `errors`."""
    parts = lock(weight_MN, inputs_TN, g, state), errors(weight_MN, inputs_TN, g, {})
    return sum((part / part.norm() for part in parts), torch.zeros_like(weight_MN))


def within(weight_MN: Tensor, inputs_TN: Tensor, g: torch.Generator, state: dict) -> Tensor:
    """Fixed directions among the leading inputs: a lock, but in directions the inputs offer."""
    if not state:
        state["right"] = torch.linalg.svd(inputs_TN, full_matrices=False)[2][:DIRECTIONS]
        state["left"] = normal(g, len(weight_MN), DIRECTIONS)
    return state["left"] @ state["right"] + 0.1 * normal(g, *weight_MN.shape)


PLANTED: dict[str, Step] = {
    "random errors": errors,
    "random errors, through Adam": errors_adam,
    "lock in random directions": lock,
    "half random errors, half lock in random directions": mixed,
    "lock in 8 of the leading inputs": within,
    "new random directions each interval": new,
}


def inputs_of(run: Path) -> dict[str, Tensor]:
    """Inputs of every matrix over demonstrations of another seed, by the module's name."""
    start = run / "checkpoints" / "step_0"
    source = open_source(run, TOKENS)
    if source.kind != "demonstrations":
        sys.exit(f"{run}: name a run of SFT")
    half = len(source.texts) // 2  # measured are the first 4096 tokens
    later = replace(source, texts=source.texts[half:])
    ids = bounded(encoded(later, open_tokenizer(start)), TOKENS, None, lambda *_: None)
    model, heard = open_model(start), dict[str, list[Tensor]]()
    for name, module in model.named_modules():
        if name.endswith("_proj"):
            rows = heard.setdefault(f"model.{name}.weight", [])
            module.register_forward_pre_hook(
                lambda _, given, rows=rows: rows.append(given[0].flatten(0, 1))
            )
    with torch.no_grad():
        for batch in ids.batches():
            model(input_ids=batch)
    g = torch.Generator().manual_seed(0)
    return {
        n: (x := torch.cat(rows))[torch.randperm(len(x), generator=g)] for n, rows in heard.items()
    }


def trajectory(
    run: Path, step: Step, inputs: dict[str, Tensor], seed: int, out: Path
) -> list[Path]:
    """The run's W0 and six checkpoints with planted updates, as model folders."""
    start = run / "checkpoints" / "step_0"
    weights, g = load_file(start / "model.safetensors"), torch.Generator().manual_seed(seed)
    states: dict[str, dict[str, Tensor]] = {name: {} for name in inputs}
    folders = [start]
    for number in range(1, CHECKPOINTS + 1):
        for name, inputs_TN in inputs.items():
            update_MN = step(weights[name], inputs_TN, g, states[name])
            size = SIZE * weights[name].norm() / update_MN.norm()
            weights[name] = weights[name] + size * update_MN
        folders.append(out / f"step_{number}")
        shutil.copytree(start, folders[-1], dirs_exist_ok=True)
        (folders[-1] / "hodograph_step.json").unlink()
        save_file(weights, folders[-1] / "model.safetensors", metadata={"format": "pt"})
    return folders


def measured(run: Path, folders: list[Path]) -> dict[str, Any]:
    """What the product says of one trajectory."""
    entry = measure(folders[0], folders[1:], inputs=run, permutations=1).summary["lock"]["float32"]
    inputs = entry["inputs"] or {"explained": 0, "early": None, "random": None, "null": None}
    counts = entry["matrices"]
    return {
        "matrices": sum(counts.values()), "locked": counts["locked"], "verdict": entry["verdict"],
    } | {name: inputs[name] for name in ("explained", "early", "random", "null")}  # fmt: skip


def printed(found: pd.DataFrame) -> str:
    """One line a kind."""
    lines = []
    for planted, rows in found.groupby("planted", sort=False):
        captures = [
            "" if rows[name].isna().all() else f"{rows[name].astype(float).mean():.2f}"
            for name in ("early", "random", "null")
        ]
        verdicts = rows["verdict"].value_counts()
        lines.append([
            str(planted), str(rows["matrices"].sum()), str(rows["locked"].sum()),
            str(rows["explained"].sum()), *captures,
            "; ".join(f"{n} {verdict}" for verdict, n in verdicts.items()),
        ])  # fmt: skip
    headings = ["planted", "matrices", "locked", "of them explained", "early update captures",
                "random update captures", "of another", "runs"]  # fmt: skip
    return table(headings, lines)


def main() -> None:
    """Print the table as Markdown."""
    torch.set_num_threads(1)
    run, times = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    inputs, found = inputs_of(run), []
    for planted, step in PLANTED.items():
        for seed in range(times):
            with tempfile.TemporaryDirectory() as folder:
                folders = trajectory(run, step, inputs, seed, Path(folder))
                found.append({"planted": planted} | measured(run, folders))
    print(machine(), "\n")
    print(printed(pd.DataFrame(found)))


if __name__ == "__main__":
    main()
