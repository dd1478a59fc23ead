"""From a recipe's [subspace] to what is confined and where its bases come from."""

from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hodograph.recipes import InputsBasis, Recipe, Subspace
from hodograph.tasks import Task
from hodograph.training.interventions.subspace.basis import Source, confinable, open_source
from hodograph.training.interventions.subspace.inputs import input_bases
from hodograph.training.interventions.subspace.refusals import require_confinable
from hodograph.training.texts import to_device


@dataclass(frozen=True)
class Confinement:
    """What is confined, and how.

    Attributes:
        settings: of the recipe.
        source: gives the bases at the switch.
    """

    settings: Subspace
    source: Source


def open_subspace(
    recipe: Recipe,
    settings: Subspace,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
) -> Confinement:
    """Open the source of a constraint while the model has its first weights.

    Raises:
        SettingsError: weights that cannot be confined, or a rank above the inputs of a matrix.
        CheckpointError: the other run cannot be read, or has other matrices.
    """
    weights = confinable(model, settings.scope)
    require_confinable(model, weights)
    basis = settings.basis
    if not isinstance(basis, InputsBasis):
        return Confinement(settings, open_source(basis, weights))
    examples = task.training(recipe.seed, basis.examples)
    found = input_bases(to_device(model), tokenizer, weights, examples, basis.rank)
    return Confinement(settings, lambda _: found)
