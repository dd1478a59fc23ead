"""Where weights come from: folders and files of safetensors, read tensor by tensor."""

from hodograph.checkpoints.checkpoint import Checkpoint, TensorHeader
from hodograph.checkpoints.reference import open_checkpoint
from hodograph.checkpoints.run_folder import RunEnd, open_run_end
from hodograph.checkpoints.trajectory import Trajectory, open_trajectory, step_of

__all__ = [
    "Checkpoint",
    "RunEnd",
    "TensorHeader",
    "Trajectory",
    "open_checkpoint",
    "open_run_end",
    "open_trajectory",
    "step_of",
]
