"""Names of checkpoints on the hub, and the prefixes that wrappers put before a tensor's name."""

import re
from dataclasses import dataclass

from hodograph.errors import CheckpointError

HUB = re.compile(r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")

WRAPPERS = (
    "module.", "_orig_mod.", "base_model.model.", "language_model.", "model.", "transformer.",
    "bert.", "roberta.", "gpt_neox.",
)  # fmt: skip


def unwrapped(name: str) -> str:
    """The name without the prefixes that trainers, compilers and adapters put before it."""
    while prefix := next((p for p in WRAPPERS if name.startswith(p)), None):
        name = name.removeprefix(prefix)
    return name


@dataclass(frozen=True)
class HubName:
    """A model on the hub: `hf://org/name@revision`, and the commit that its revision is."""

    repo: str
    revision: str
    commit: str | None = None

    def __str__(self) -> str:
        return f"hf://{self.repo}@{self.commit or self.revision}"


def hub_name(path: str) -> HubName | None:
    """The model that `hf://org/name` or `hf://org/name@revision` names; None for a path.

    A path that was parsed as one has lost a slash; it is understood too.

    Raises:
        CheckpointError: it begins like such a name and is none.
    """
    if not path.startswith("hf:/"):
        return None
    match = HUB.fullmatch(path)
    if match is None:
        raise CheckpointError(f"{path}: hf://org/name or hf://org/name@revision was expected.")
    return HubName(match["repo"], match["revision"] or "main")
