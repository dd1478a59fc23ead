"""W0 of one matrix where it is factored: moved to the device once for all checkpoints.

M rows, N columns.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.matrices.update import Update


@dataclass
class Start:
    """W0 as stored, and on the device as each storage shows it. On the CPU nothing is kept.

    Attributes:
        base_MN: W0, as read.
        device: where matrices are factored.
    """

    base_MN: Tensor
    device: torch.device
    _stored: Tensor | None = None
    _shown: dict[str, Tensor] = field(default_factory=dict)

    def stored(self) -> Float[Tensor, "M N"]:
        """W0 in float32 on the device."""
        if self.device.type == "cpu":
            return self.base_MN.float()
        if self._stored is None:
            self._stored = self.base_MN.to(self.device).float()
        return self._stored

    def kept_by(self, update: Update) -> bool:
        """Whether the update's storage shows W0 as stored, not rounded."""
        return torch.equal(update.base_MN, self.base_MN.float())

    def shown(self, update: Update) -> Float[Tensor, "M N"]:
        """W0 as the update's storage shows it, on the device."""
        if self.device.type == "cpu":
            return update.base_MN
        if update.storage not in self._shown:
            kept = self.kept_by(update)
            self._shown[update.storage] = self.stored() if kept else update.base_MN.to(self.device)
        return self._shown[update.storage]

    def moved(self, update: Update) -> Update:
        """The update on the device; itself on the CPU, where updates are made."""
        if self.device.type == "cpu":
            return update
        return update.on(self.device, self.shown(update))
