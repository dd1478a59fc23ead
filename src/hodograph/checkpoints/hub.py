"""Models on the Hugging Face hub: a revision pinned to its commit, shards fetched when needed.

Headers come first, by range requests. A shard is downloaded, into the hub's own cache, when the
first of its tensors is read. Offline (HF_HUB_OFFLINE) the cache is all there is.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    HTTPError,
    NotASafetensorsRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
    SafetensorsParsingError,
)
from huggingface_hub.file_download import repo_folder_name
from torch import Tensor

from hodograph.checkpoints.names import HubName
from hodograph.checkpoints.safetensors_files import INDEX_FILE, SafetensorsFiles, read_headers
from hodograph.checkpoints.shards import shard_names
from hodograph.checkpoints.source import TensorHeader, by_name
from hodograph.errors import CheckpointError

BESIDE = ("config.json", "hodograph_step.json", INDEX_FILE)
WEIGHTS = ["*.json", "*.safetensors", "pytorch_model*.bin", "adapter_model.bin"]
FAILURES = (
    EntryNotFoundError,
    HFValidationError,
    HTTPError,
    NotASafetensorsRepoError,
    RevisionResolutionError,
    SafetensorsParsingError,
    HTTPError,
    OSError,
)


@dataclass(frozen=True)
class HubFiles:
    """safetensors of a model on the hub, downloaded one shard at a time.

    Attributes:
        headers: every tensor's; `file` is where its shard is, or will be, in the hub's cache.
        files: where every shard is or will be.
        name: the model and its commit.
    """

    headers: dict[str, TensorHeader]
    files: tuple[Path, ...]
    name: HubName

    def read(self, name: str) -> Tensor:
        """Read one tensor as stored, from a shard that is downloaded first where it is not."""
        with _explained(self.name):
            file = self.headers[name].file
            hf_hub_download(self.name.repo, file.name, revision=self.name.commit)
        return SafetensorsFiles(self.headers, self.files).read(name)


def fetch(name: HubName) -> tuple[HubName, Path, HubFiles | None]:
    """Pin a revision to its commit and fetch what opening it needs.

    Returns:
        The name with its commit; the folder of the snapshot in the hub's cache; and the source of
        its tensors, or None where all of them lie in the folder.

    Raises:
        CheckpointError: no such model or revision, no access, no connection, or not in the cache.
    """
    with _explained(name):
        if constants.is_offline_mode():
            folder = snapshot_download(name.repo, revision=name.revision, local_files_only=True)
            return replace(name, commit=Path(folder).name), Path(folder), None
        info = HfApi().model_info(name.repo, revision=name.revision)
        pinned = replace(name, commit=info.sha)
        present = {one.rfilename for one in info.siblings or []}
        for file in sorted(present & set(BESIDE))[:1]:
            hf_hub_download(name.repo, file, revision=name.revision)  # the cache learns its commit
        if "adapter_config.json" in present or not {INDEX_FILE, "model.safetensors"} & present:
            place = snapshot_download(name.repo, revision=info.sha, allow_patterns=WEIGHTS)
            return pinned, Path(place), None
        for file in present.intersection(BESIDE):
            hf_hub_download(name.repo, file, revision=info.sha)
        folder = _snapshot(pinned)
        sharded = INDEX_FILE in present
        shards = shard_names(folder / INDEX_FILE) if sharded else ["model.safetensors"]
        headers = [header for shard in shards for header in _headers(pinned, folder / shard)]
        files = tuple(folder / shard for shard in shards)
        return pinned, folder, HubFiles(by_name(headers, folder), files, pinned)


def _snapshot(name: HubName) -> Path:
    """Where the hub's cache has, or will have, the files of a commit."""
    repo = repo_folder_name(repo_id=name.repo, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / repo / "snapshots" / str(name.commit)


def _headers(name: HubName, file: Path) -> list[TensorHeader]:
    """Headers of a shard: from the cache, or by range requests."""
    if file.exists():
        return read_headers(file)
    found = HfApi().parse_safetensors_file_metadata(name.repo, file.name, revision=name.commit)
    return [
        TensorHeader(tensor, one.dtype, tuple(one.shape), file)
        for tensor, one in found.tensors.items()
    ]


@contextmanager
def _explained(name: HubName) -> Iterator[None]:
    """Say what went wrong with the hub, and the way on."""
    try:
        yield
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{name}: the hub has no such revision of {name.repo}.") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{name}: the hub has no such model, or you may not read it.\n"
            "  Check the name; for a gated or private model, run: hf auth login"
        ) from error
    except FAILURES as error:
        offline = constants.is_offline_mode()
        way_on = "Download it while online" if offline else "HF_HUB_OFFLINE=1 reads the cache"
        said = re.sub(r"\s+", " ", str(error))[:200]
        raise CheckpointError(f"{name}: cannot be fetched ({said}).\n  {way_on}.") from error
