"""Write checkpoints of a model's shape that hold no weights, to plan a measurement of it.

    pip install '.[train]'  # in a clone
    python examples/plan/without_weights.py examples/plan/llama_3_70b.json runs/plan 0 100 200
    hodograph measure runs/plan/step_0 runs/plan/step_100 runs/plan/step_200 --plan --workers 64

Names and shapes come from transformers, which builds the model of a config.json on no device. The
files have a real header and the real length, but are sparse: they take no room on a disk whose file
system keeps holes. `--plan` reads headers only. Measuring them would find W0 = W1 = 0.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

BYTES = 2  # of a bfloat16 weight
SHARD = 5 * 10**9  # bytes a file at most, as transformers cuts them; whole, it may not be mapped


def shapes_of(config: Path) -> dict[str, tuple[int, ...]]:
    """Every stored tensor of the model that a config.json describes."""
    described = AutoConfig.for_model(**json.loads(config.read_text()))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(described)
    tied = set(model.all_tied_weights_keys)
    return {name: tuple(w.shape) for name, w in model.state_dict().items() if name not in tied}


def write_hollow(file: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Write a safetensors file of these shapes in bfloat16, all of its data a hole."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + BYTES * torch.Size(shape).numel()
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with file.open("wb") as written:
        written.write(len(text).to_bytes(8, "little") + text)
        written.truncate(8 + len(text) + end)


def write_checkpoint(folder: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Write the files of one checkpoint and the index that names them."""
    cut: list[dict[str, tuple[int, ...]]] = [{}]
    room = SHARD
    for name, shape in shapes.items():
        size = BYTES * torch.Size(shape).numel()
        if size > room:
            cut.append({})
            room = SHARD
        cut[-1][name] = shape
        room -= size
    files = [f"model-{i:05}-of-{len(cut):05}.safetensors" for i in range(1, len(cut) + 1)]
    for file, held in zip(files, cut, strict=True):
        write_hollow(folder / file, held)
    weight_map = {name: file for file, held in zip(files, cut, strict=True) for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def main() -> None:
    """Write one folder a step."""
    config, folder, *steps = sys.argv[1:]
    shapes = shapes_of(Path(config))
    for step in steps:
        path = Path(folder) / f"step_{step}"
        path.mkdir(parents=True, exist_ok=True)
        write_checkpoint(path, shapes)
        shutil.copy(config, path / "config.json")
    print(f"{len(shapes)} tensors, {sum(torch.Size(s).numel() for s in shapes.values()):,} weights")


if __name__ == "__main__":
    main()
