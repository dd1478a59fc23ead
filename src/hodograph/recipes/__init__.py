"""How a run is described: settings that are validated before anything heavy is imported."""

from hodograph.recipes.load import (
    first_difference,
    load_recipe,
    merged,
    parse_recipe,
    resolve_paths,
)
from hodograph.recipes.models import Model, PathModel, Qwen3Model
from hodograph.recipes.monitoring import Monitoring
from hodograph.recipes.objectives import Objective, OpdObjective, RlvrObjective, SftObjective
from hodograph.recipes.recipe import Evaluation, Recipe, Sampling, Save, Stop
from hodograph.recipes.schedule import (
    Batch,
    ConstantSchedule,
    CosineSchedule,
    Optimizer,
    Schedule,
)
from hodograph.recipes.tasks import (
    ChainMixtureTask,
    ChainTask,
    DatasetTask,
    ReasoningGymTask,
    Task,
)

__all__ = [
    "Batch",
    "ChainMixtureTask",
    "ChainTask",
    "ConstantSchedule",
    "CosineSchedule",
    "DatasetTask",
    "Evaluation",
    "Model",
    "Monitoring",
    "Objective",
    "OpdObjective",
    "Optimizer",
    "PathModel",
    "Qwen3Model",
    "ReasoningGymTask",
    "Recipe",
    "RlvrObjective",
    "Sampling",
    "Save",
    "Schedule",
    "SftObjective",
    "Stop",
    "Task",
    "first_difference",
    "load_recipe",
    "merged",
    "parse_recipe",
    "resolve_paths",
]
