"""PEFT's LoRA adapters, read against the model they change.

An adapter adds s B A to a stored matrix. Its checkpoint is the base's tensors with that added, in
float32 where the base is stored in fewer bits, one matrix at a time; the factors themselves are
kept for everything that asks of the update alone.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from hodograph.checkpoints.checkpoint import Checkpoint
from hodograph.checkpoints.names import unwrapped
from hodograph.checkpoints.pickled import open_state_dicts
from hodograph.checkpoints.product import Product
from hodograph.checkpoints.safetensors_files import open_safetensors
from hodograph.checkpoints.shards import read_json
from hodograph.checkpoints.source import Source, TensorHeader
from hodograph.errors import CheckpointError

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILES = ("adapter_model.safetensors", "adapter_model.bin")
FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<kind>embedding_)?(?P<side>[AB])(?:\.weight)?")
MERGE = "  Merge it with peft (merge_and_unload, then save_pretrained) and measure that."
UNREAD = {  # settings of adapter_config.json that make more of it than s B A
    "use_dora": "DoRA rescales every row of the merged matrix",
    "use_qalora": "QA-LoRA pools the inputs",
    "lora_bias": "its B has a bias",
    "layer_replication": "it repeats layers of the base",
    "target_parameters": "it changes parameters that are no linear layer's weight",
    "trainable_token_indices": "it changes single rows of the embedding",
    "use_bdlora": "its factors are block diagonal",
    "arrow_config": "it routes between adapters",
    "kasa_config": "it drops singular values of the base",
    "alora_invocation_tokens": "it acts after some tokens only",
    "monteclora_config": "its factors are drawn at random",
}


@dataclass(frozen=True)
class Site:
    """One matrix that an adapter changes: by scale * B A, or its transpose where `turned`."""

    a: str
    b: str
    scale: float
    turned: bool


@dataclass(frozen=True)
class Adapter:
    """A base's tensors as an adapter changes them.

    Attributes:
        headers: the base's; what is changed is in float32 at least.
        files: of the base and the adapter.
        base: the model it changes.
        weights: the adapter's own tensors.
        sites: the matrices it adds to, by the base's name.
        replaced: the adapter's name of a tensor that was trained whole, by the base's name.
    """

    headers: dict[str, TensorHeader]
    files: tuple[Path, ...]
    base: Checkpoint
    weights: Source
    sites: dict[str, Site]
    replaced: dict[str, str]

    def read(self, name: str) -> Tensor:
        """Read one tensor: what was trained whole or the base's, plus s B A, rounded once."""
        own = self.replaced.get(name)
        stored = self.base.read(name) if own is None else self.weights.read(own)
        if name not in self.sites:
            return stored
        merged = stored.double() + self._added(name).dense()
        return merged if self.headers[name].dtype == "F64" else merged.float()

    def product(self, name: str) -> Product | None:
        """The factors of a tensor's update; None where it is none, or more than B A."""
        return self._added(name) if name in self.sites and name not in self.replaced else None

    def _added(self, name: str) -> Product:
        site = self.sites[name]
        left, right = self.weights.read(site.b), self.weights.read(site.a)
        product = Product(left.double() * site.scale, right.double())
        return product.turned() if site.turned else product


def adapter_in(folder: Path) -> Path | None:
    """The weights file of a PEFT adapter's folder, or None where it holds none."""
    if not (folder / CONFIG_FILE).exists():
        return None
    return next((folder / name for name in WEIGHTS_FILES if (folder / name).exists()), None)


def open_adapter(folder: Path, file: Path, base: Checkpoint) -> Adapter:
    """Open a LoRA adapter against its base, from headers alone.

    Args:
        folder: with adapter_config.json.
        file: its weights.
        base: the model it changes.

    Raises:
        CheckpointError: not LoRA, a variant that is not s B A, or an adapter of another model.
    """
    config = read_json(folder / CONFIG_FILE)
    _refuse_variants(folder, config)
    opened = open_safetensors if file.suffix == ".safetensors" else open_state_dicts
    weights = opened(folder, [file])
    factors = {name: match for name in weights.headers if (match := FACTOR.fullmatch(_key(name)))}
    fitting = _Fitting(folder, config, weights, base)
    sites = dict(
        fitting.site(name, factors[name]) for name in factors if factors[name]["side"] == "A"
    )
    if len(factors) != 2 * len(sites) or not sites:
        raise CheckpointError(f"{file}: its lora_A and lora_B are not pairs.\n{MERGE}")
    replaced = fitting.replaced([name for name in weights.headers if name not in factors])
    headers = _headers(base, weights, sites, replaced)
    files = (*base.files, file, folder / CONFIG_FILE)
    return Adapter(headers, files, base, weights, sites, replaced)


def _key(name: str) -> str:
    """A name in an adapter's file as the model calls it."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def _refuse_variants(folder: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise CheckpointError(f"{folder}: a PEFT adapter of type {kind}; LORA is read.\n{MERGE}")
    for setting, why in UNREAD.items():
        if config.get(setting):
            raise CheckpointError(f"{folder}: {setting} is set: {why}.\n{MERGE}")


@dataclass(frozen=True)
class _Fitting:
    """Finds which tensors of a base an adapter's own belong to."""

    folder: Path
    config: Mapping[str, Any]
    weights: Source
    base: Checkpoint

    @cached_property
    def _known(self) -> dict[str, str]:
        """The base's names by their names without prefixes."""
        return {unwrapped(name): name for name in self.base.headers}

    def site(self, name: str, match: re.Match[str]) -> tuple[str, Site]:
        """The tensor of the base that the pair of this lora_A changes, and how."""
        module, embedding = match["module"], bool(match["kind"])
        partner = ".lora_embedding_B".join(name.rsplit(".lora_embedding_A", 1))
        partner = ".lora_B".join(partner.rsplit(".lora_A", 1))
        target = self._known.get(unwrapped(f"{module}.weight"))
        if target is None or partner not in self.weights.headers:
            named = self.config.get("base_model_name_or_path")
            raise CheckpointError(
                f"{self.folder}: changes {module}.weight, which {self.base.path} does not hold.\n"
                f"  Name the model it was trained on as BASE (its configuration says {named})."
            )
        shapes = self.weights.headers[name].shape, self.weights.headers[partner].shape
        turned = self._turned(target, *shapes, embedding)
        scale = _scale(self.folder, module, shapes[0][0], self.config)
        return target, Site(name, partner, scale, turned)

    def _turned(self, target: str, a: tuple[int, ...], b: tuple[int, ...], embedding: bool) -> bool:
        """Whether (B A)ᵀ is what fits: an embedding, or a layer stored as (in, out)."""
        stored = self.base.headers[target].shape
        straight = (b[0], a[-1])
        if len(a) != 2 or len(b) != 2 or a[0] != b[1] or stored not in (straight, straight[::-1]):
            raise CheckpointError(
                f"{self.folder}: A {a} and B {b} do not fit {target} {stored} of"
                f" {self.base.path}.\n  Name the model it was trained on as BASE, or merge it.\n"
                f"{MERGE}"
            )
        square = straight == straight[::-1]
        told = embedding or bool(self.config.get("fan_in_fan_out"))
        return told if square else stored != straight

    def replaced(self, names: Sequence[str]) -> dict[str, str]:
        """Tensors that were trained whole, by the base's name, or their own where it has none."""
        keys = {name: _key(name).replace(".modules_to_save.default.", ".") for name in names}
        return {self._known.get(unwrapped(key), key): name for name, key in keys.items()}


def _scale(folder: Path, module: str, rank: int, config: Mapping[str, Any]) -> float:
    """Alpha / r, or alpha / sqrt(r) for rsLoRA (Kalajdzievski, 2023), with the patterns' values."""
    told = _patterned(config.get("rank_pattern"), module, config.get("r"))
    alpha = _patterned(config.get("alpha_pattern"), module, config.get("lora_alpha"))
    if told != rank or not isinstance(alpha, int | float):
        raise CheckpointError(
            f"{folder}: {module} has rank {rank}, {CONFIG_FILE} says rank {told}, alpha {alpha}.\n"
            "  The two files are of different adapters; copy the folder again."
        )
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _patterned(patterns: object, module: str, default: object) -> object:
    """The value of the first pattern that the end of a module's name matches, as in PEFT."""
    for pattern, value in (patterns if isinstance(patterns, dict) else {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            return value
    return default


def _headers(
    base: Checkpoint, weights: Source, sites: Mapping[str, Site], replaced: Mapping[str, str]
) -> dict[str, TensorHeader]:
    headers = dict(base.headers)
    for name, own in replaced.items():
        header = weights.headers[own]
        headers[name] = TensorHeader(name, header.dtype, header.shape, header.file)
    for name in sites:
        header = headers[name]
        dtype = "F64" if header.dtype == "F64" else "F32"
        headers[name] = TensorHeader(name, dtype, header.shape, header.file)
    return dict(sorted(headers.items()))
