"""A trajectory of small checkpoints in which every unit takes a moment."""

import torch

SIDE = 96


def write_trajectory(folder, write_checkpoint, units=12, steps=2):
    """Folders step_0 .. step_N of `units` square projections that move at random."""
    generator = torch.Generator().manual_seed(0)
    names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(units)]
    weights = {name: torch.randn(SIDE, SIDE, generator=generator) for name in names}
    found = []
    for step in range(steps + 1):
        found.append(write_checkpoint(folder / f"step_{step}", weights))
        weights = {
            name: w + 1e-3 * torch.randn(w.shape, generator=generator)
            for name, w in weights.items()
        }
    return found
