"""Confine training to one subspace of the inputs of each matrix, from a step on."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from hodograph.recipes.section import Section

Scope = Literal["linear", "attention"]


class OwnBasis(Section):
    """Leading right singular vectors of the run's own update W - W0 at ``at_step``."""

    type: Literal["own"]
    rank: PositiveInt = 16


class RunBasis(Section):
    """Leading right singular vectors of another run's update, from its own step 0."""

    type: Literal["run"]
    path: str = Field(min_length=1)
    """A run folder; a relative path is resolved against the recipe file."""
    step: PositiveInt
    """One of its checkpoints."""
    rank: PositiveInt = 16


class InputsBasis(Section):
    """Leading eigenvectors of the second moment of each matrix's inputs, before any training."""

    type: Literal["inputs"]
    examples: PositiveInt = 256
    """Training examples that are read through the model, prompt and demonstration."""
    rank: PositiveInt = 16


class RandomBasis(Section):
    """Orthonormal directions drawn at random, others for each matrix."""

    type: Literal["random"]
    seed: NonNegativeInt = 0
    rank: PositiveInt = 16


class NoBasis(Section):
    """No direction is free: the matrices are frozen and only the other parameters train."""

    type: Literal["none"]


Basis = Annotated[
    OwnBasis | RunBasis | InputsBasis | RandomBasis | NoBasis, Field(discriminator="type")
]


class Subspace(Section):
    """After step ``at_step`` each matrix moves by (something) V V^T, V from ``basis``."""

    at_step: NonNegativeInt = 0
    """Steps that are taken freely before."""
    basis: Basis
    mode: Literal["gradient", "update", "adam_in_subspace"] = "gradient"
    """What is projected: the gradient (the paper's; it leaks under Adam), the optimizer's step, or
    nothing: Adam itself runs on the K coordinates."""
    norm_matched: bool = False
    """With ``update``: scale each matrix's projected step to the norm it had before."""
    scope: Scope = "linear"
    """Matrices that get a basis: the seven projections of every layer, or q, k, v, o alone."""
    without_basis: Literal["untouched", "frozen"] = "untouched"
    """What becomes of the other parameters: they train as ever, or not at all."""

    @model_validator(mode="after")
    def _own_has_a_past(self) -> "Subspace":
        if isinstance(self.basis, OwnBasis) and self.at_step == 0:
            raise ValueError("basis.type 'own' needs at_step 1 or more: there is no update before")
        return self

    @model_validator(mode="after")
    def _norm_is_known(self) -> "Subspace":
        if self.norm_matched and self.mode != "update":
            raise ValueError(
                f"norm_matched needs mode 'update': under {self.mode!r} the optimizer does not"
                " compute the unconstrained step whose norm would be matched"
            )
        return self

    @model_validator(mode="after")
    def _something_trains(self) -> "Subspace":
        if not isinstance(self.basis, NoBasis):
            return self
        if self.mode != "gradient":
            raise ValueError("basis.type 'none' freezes the matrices: it takes no mode")
        if self.without_basis == "frozen":
            raise ValueError("basis.type 'none' with without_basis 'frozen' trains nothing")
        return self
