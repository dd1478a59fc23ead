"""Where weights come from: files, folders and training shards, read tensor by tensor."""

from hodograph.checkpoints.checkpoint import Checkpoint
from hodograph.checkpoints.product import Product
from hodograph.checkpoints.reference import open_checkpoint
from hodograph.checkpoints.run_folder import RunEnd, open_run_end
from hodograph.checkpoints.source import TensorHeader
from hodograph.checkpoints.trajectory import Trajectory, open_trajectory, step_of

__all__ = [
    "Checkpoint",
    "Product",
    "RunEnd",
    "TensorHeader",
    "Trajectory",
    "open_checkpoint",
    "open_run_end",
    "open_trajectory",
    "step_of",
]
