"""How a run is described: settings that are validated before anything heavy is imported."""

from hodograph.recipes.adapter import Adapter, FrozenAAdapter, LoraAdapter
from hodograph.recipes.generation import (
    Generation,
    TransformersGeneration,
    VllmColocateGeneration,
    VllmServerGeneration,
)
from hodograph.recipes.load import (
    WITH_A_PATH,
    first_difference,
    load_recipe,
    merged,
    parse_recipe,
    resolve_paths,
)
from hodograph.recipes.models import (
    HubModel,
    Model,
    PathModel,
    Qwen3Model,
    Qwen3MoeModel,
    RandomModel,
    StoredModel,
)
from hodograph.recipes.monitoring import Monitoring
from hodograph.recipes.objectives import (
    MixObjective,
    Objective,
    OnPolicyObjective,
    OpdObjective,
    RlvrObjective,
    SftObjective,
)
from hodograph.recipes.recipe import Evaluation, Recipe, Sampling, Save, Stop
from hodograph.recipes.rollout import FileRollout, MixtureRollout, Rollout, StudentRollout
from hodograph.recipes.schedule import (
    Batch,
    ConstantSchedule,
    CosineSchedule,
    Optimizer,
    Schedule,
)
from hodograph.recipes.selection import PositionSelection, RankedSelection, Selection
from hodograph.recipes.subspace import (
    Basis,
    InputsBasis,
    NoBasis,
    OwnBasis,
    RandomBasis,
    RunBasis,
    Subspace,
)
from hodograph.recipes.tasks import (
    ChainMixtureTask,
    ChainTask,
    DatasetTask,
    ReasoningGymTask,
    Task,
)

__all__ = [
    "WITH_A_PATH",
    "Adapter",
    "Basis",
    "Batch",
    "ChainMixtureTask",
    "ChainTask",
    "ConstantSchedule",
    "CosineSchedule",
    "DatasetTask",
    "Evaluation",
    "FileRollout",
    "FrozenAAdapter",
    "Generation",
    "HubModel",
    "InputsBasis",
    "LoraAdapter",
    "MixObjective",
    "MixtureRollout",
    "Model",
    "Monitoring",
    "NoBasis",
    "Objective",
    "OnPolicyObjective",
    "OpdObjective",
    "Optimizer",
    "OwnBasis",
    "PathModel",
    "PositionSelection",
    "Qwen3Model",
    "Qwen3MoeModel",
    "RandomBasis",
    "RandomModel",
    "RankedSelection",
    "ReasoningGymTask",
    "Recipe",
    "RlvrObjective",
    "Rollout",
    "RunBasis",
    "Sampling",
    "Save",
    "Schedule",
    "Selection",
    "SftObjective",
    "Stop",
    "StoredModel",
    "StudentRollout",
    "Subspace",
    "Task",
    "TransformersGeneration",
    "VllmColocateGeneration",
    "VllmServerGeneration",
    "first_difference",
    "load_recipe",
    "merged",
    "parse_recipe",
    "resolve_paths",
]
