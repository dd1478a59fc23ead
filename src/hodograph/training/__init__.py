"""How a recipe is trained: thin over TRL, with nothing fetched and nothing reported home."""

import os

# Read by huggingface_hub when it is imported, so set before anything here imports it.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from hodograph.training.run import TrainedRun, train

__all__ = ["TrainedRun", "train"]
