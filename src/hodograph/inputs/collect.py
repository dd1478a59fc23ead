"""Run the texts through W_T and W0, and keep what the inputs of every matrix say.

N inputs of a matrix, K vectors.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hodograph.checkpoints import Trajectory
from hodograph.diagnostics.inputs import InputNull, input_null, moment_of
from hodograph.inputs.kept import KeptInputs
from hodograph.inputs.model import (
    is_model_folder,
    longest_text,
    model_folder,
    open_model,
    open_tokenizer,
)
from hodograph.inputs.moments import Site, find_sites, modules_of, passes, second_moments
from hodograph.inputs.source import Source
from hodograph.inputs.tokens import Progress, Sequences, answered, bounded, encoded
from hodograph.linalg.subspaces import similarity
from hodograph.matrices.pairing import Parameter
from hodograph.processes import one_thread

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NO_MODULE = "transformers' model has no module for it alone (stacked experts, an output head)"
NOT_CALLED = "its module was given no inputs: an embedding, or an expert no token went to"
NOT_FINITE = "its inputs are not finite"
ZERO = "its inputs are zero"


@dataclass(frozen=True)
class Wanted:
    """How much is looked at and drawn.

    Attributes:
        tokens: most tokens.
        k: leading vectors.
        draws: random updates of each matrix.
        seed: of the draws.
    """

    tokens: int
    k: int
    draws: int
    seed: int


def collect(
    parameters: Sequence[Parameter],
    trajectory: Trajectory,
    source: Source,
    wanted: Wanted,
    folder: Path,
    on_progress: Progress,
) -> KeptInputs:
    """Find what the inputs of every matrix say; what is kept already is not computed again.

    The last checkpoint is run first, for its leading inputs alone; where it is no whole model, the
    drift is left empty. Then W0, whose second moments the random updates are drawn from.

    Args:
        parameters: whose matrices are asked for.
        trajectory: W0 and the checkpoints after it.
        source: of the texts.
        wanted: how much.
        folder: to keep everything in.
        on_progress: called with steps done, steps in all, and what is in work.

    Raises:
        CheckpointError: W0 is no model that transformers can run.
        SettingsError: transformers is not installed, or the texts hold no tokens.
    """
    kept = KeptInputs(folder)
    if kept.described():
        return kept
    start = model_folder(trajectory.base.path)
    last = trajectory.tuned[-1].path
    with one_thread():
        sequences = _sequences(source, start, wanted.tokens, kept, on_progress)
        if is_model_folder(last):
            _keep_ends(_Pass(open_model(last), parameters, sequences, on_progress), kept, wanted)
        first = _Pass(open_model(start), parameters, sequences, on_progress)
        without = _keep_nulls(first, kept, wanted)
    kept.finish(
        {
            "source": source.path,
            "kind": source.kind,
            "texts": len(sequences.ids),
            "cut": sequences.cut,
            "tokens": sequences.tokens,
            "model": str(start),
            "drift_to": str(last) if is_model_folder(last) else None,
            "draws": wanted.draws,
            "without": without,
        }
    )
    return kept


def identity(source: Source, base: Path) -> str:
    """What must be equal for the inputs to be the same, besides the weights and the settings."""
    files = [base / "config.json", *sorted(base.glob("tokenizer*")), *sorted(base.glob("chat_*"))]
    said = [source.digest(), _version_of_transformers()]
    said += [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def _version_of_transformers() -> str:
    try:
        return version("transformers")
    except PackageNotFoundError:
        return "none"  # opening the model says so


def _sequences(
    source: Source, folder: Path, tokens: int, kept: KeptInputs, on_progress: Progress
) -> Sequences:
    """The token sequences: those that are kept, else from the texts or sampled by W0."""
    found = kept.sequences()
    if found is None:
        tokenizer = open_tokenizer(folder)
        if source.sampling is None:
            texts = encoded(source, tokenizer)
        else:
            model = open_model(folder, head=True)
            texts = answered(source, source.sampling, model, tokenizer)
        found = bounded(texts, tokens, longest_text(folder), on_progress)
        kept.store_sequences(found)
    return found


class _Pass:
    """One model that the sequences are run through."""

    def __init__(
        self,
        model: "PreTrainedModel",
        parameters: Sequence[Parameter],
        sequences: Sequences,
        on_progress: Progress,
    ) -> None:
        self.parameters = [unit for unit in parameters if any(b.spectral for b in unit.blocks)]
        self.modules = modules_of(model, [unit.name for unit in self.parameters])
        self._model, self._on_progress = model, on_progress
        self._batches = list(sequences.batches())
        self.sites = find_sites(model, sorted(set(self.modules.values())), self._batches[0])

    def holds(self, site: Site, unit: Parameter) -> bool:
        """Whether the parameter's matrices are multiplied with the inputs at a site."""
        here = self.modules.get(unit.name) in site.modules
        return here and all(block.cols == site.size for block in unit.blocks)

    def moments(self, missing: Callable[[Site], bool]) -> Iterator[tuple[Site, Tensor]]:
        """The second moment of each site that is missing, as many at a time as fit into memory."""
        groups = passes([site for site in self.sites if missing(site)])
        total = len(groups) * len(self._batches) + sum(map(len, groups))
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self._on_progress(done, total, "inputs")

        for group in groups:
            sums = second_moments(self._model, group, self._batches, step)
            for site in group:
                yield site, sums.pop(site)
                step()


def _keep_ends(run: _Pass, kept: KeptInputs, wanted: Wanted) -> None:
    """Leading inputs of every site in the last checkpoint."""
    for site, moment_NN in run.moments(lambda site: kept.end(site.modules[0]) is None):
        if bool(torch.isfinite(moment_NN).all()):
            kept.store_end(site.modules[0], moment_of(moment_NN).leading(wanted.k))


def _keep_nulls(run: _Pass, kept: KeptInputs, wanted: Wanted) -> dict[str, str]:
    """What the inputs say of every matrix; returned are the parameters without, and why."""
    at = {site: [unit for unit in run.parameters if run.holds(site, unit)] for site in run.sites}
    found = {unit.name for units in at.values() for unit in units}
    without = {
        unit.name: NOT_CALLED if unit.name in run.modules else NO_MODULE
        for unit in run.parameters
        if unit.name not in found
    }

    def missing(site: Site) -> bool:
        return not all(kept.has(unit.name, b.module) for unit in at[site] for b in unit.blocks)

    for site, moment_NN in run.moments(missing):
        reason = _keep_site(site, at[site], moment_NN, kept, wanted)
        if reason is not None:
            without |= {unit.name: reason for unit in at[site]}
    return without


def _keep_site(
    site: Site, units: list[Parameter], moment_NN: Tensor, kept: KeptInputs, wanted: Wanted
) -> str | None:
    """Keep the null of every matrix of a site; a reason where there is none.

    Matrices of one shape share their draws, as the intervals take layers and not matrices to be
    independent.
    """
    if not bool(torch.isfinite(moment_NN).all()):
        return NOT_FINITE
    moment, end_NK = moment_of(moment_NN), kept.end(site.modules[0])
    blocks = [(unit, block) for unit in units for block in unit.blocks]
    for rows in {block.rows for _, block in blocks}:
        seed = _seed(wanted.seed, site.modules[0], rows)
        null = input_null(moment, rows, wanted.k, wanted.draws, seed)
        if null is None:
            return ZERO
        for unit, block in blocks:
            if block.rows == rows:
                kept.store(unit.name, block.module, _with_drift(null, end_NK))
    return None


def _with_drift(null: InputNull, end_NK: Tensor | None) -> InputNull:
    if end_NK is None:
        return null
    size = min(null.size, end_NK.shape[1])
    alike = similarity(null.u_NK[:, :size], end_NK[:, :size])
    return replace(null, drift=max(0.0, 1 - alike))


def _seed(seed: int, module: str, rows: int) -> int:
    """A seed of its own for every site and shape, the same in any order of work."""
    name = f"{seed}\0inputs\0{module}\0{rows}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])
