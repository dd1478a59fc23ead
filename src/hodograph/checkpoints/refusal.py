"""What is not read, and the way on: one message for each thing that is mistaken for weights."""

from collections.abc import Sequence
from pathlib import Path

GGUF = (
    "GGUF weights are quantised and cannot be compared entry by entry.\n"
    "  Measure the safetensors they were made from, or dequantise them with transformers"
    " (gguf_file=...) and save_pretrained."
)
RUN_FOLDER = (
    "this is a run folder, not a checkpoint.\n"
    "  Name the checkpoints in it: checkpoints/step_0 checkpoints/step_..."
)
DEEPSPEED = (
    "these are DeepSpeed ZeRO shards.\n"
    "  Join them with the zero_to_fp32.py that lies beside them:"
    " python zero_to_fp32.py . OUT --safe_serialization"
)

MEGATRON = (
    "a Megatron checkpoint (torch_dist): its names and fused layouts are Megatron's, not the"
    " model's.\n  Convert it with the project it comes from. slime: python"
    " tools/convert_torch_dist_to_hf.py --input-dir ITER --output-dir OUT --origin-hf-dir MODEL"
)
UNMERGED = (
    "holds LoRA weights beside those they change ({name}).\n"
    "  Merge them (peft: merge_and_unload, then save_pretrained), or name the adapter's own folder."
)


def way_on(present: Sequence[Path]) -> str:
    """Why these files are no checkpoint, and what to do.

    Args:
        present: the file that was named, or what is in the folder that was named.
    """
    names = {child.name for child in present}
    if any(child.suffix == ".gguf" for child in present):
        return GGUF
    if "checkpoints" in names:
        return RUN_FOLDER
    if "zero_to_fp32.py" in names or any("zero_pp_rank" in name for name in names):
        return DEEPSPEED
    shown = ", ".join(child.name for child in present[:5])
    return f"not a checkpoint (found {shown}).\n  Name a folder with safetensors files."
