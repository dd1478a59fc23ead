"""The folder of what the inputs say: one file a matrix, each whole or absent."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from hodograph.atomic import write_atomically, write_json
from hodograph.diagnostics.inputs import InputNull
from hodograph.errors import StorageError
from hodograph.inputs.tokens import Sequences

COMPLETE, TOKENS, ENDS, NULLS = "inputs.json", "tokens.json", "ends", "nulls"
DRIFT = "drift"


@dataclass(frozen=True)
class KeptInputs:
    """What is known of each matrix's inputs, read as it is asked for.

    Attributes:
        folder: where it lies.
    """

    folder: Path

    def of(self, parameter: str, module: str) -> InputNull | str:
        """The null of one matrix, or why there is none.

        Raises:
            StorageError: the folder is not complete, or not seen from this machine.
        """
        file = self._file(NULLS, f"{parameter}\0{module}")
        if not file.exists():
            if not (self.folder / COMPLETE).exists():
                raise StorageError(
                    f"{self.folder}: what the layers see is not there.\n"
                    "  Name an --out that every machine sees under the same path."
                )
            return self.described()["without"][parameter]
        tensors = load_file(file)
        drift = tensors.pop(DRIFT, None)
        return InputNull(**tensors, drift=None if drift is None else float(drift))

    def store(self, parameter: str, module: str, null: InputNull) -> None:
        """Keep the null of one matrix."""
        names = [one.name for one in fields(null) if one.name != DRIFT]
        tensors: dict[str, Tensor] = {name: getattr(null, name) for name in names}
        if null.drift is not None:
            tensors[DRIFT] = torch.tensor(null.drift, dtype=torch.float64)
        self._write(self._file(NULLS, f"{parameter}\0{module}"), tensors)

    def has(self, parameter: str, module: str) -> bool:
        """Whether the null of this matrix is kept."""
        return self._file(NULLS, f"{parameter}\0{module}").exists()

    def end(self, site: str) -> Float[Tensor, "N K"] | None:
        """Leading inputs of the last checkpoint at a site, or None."""
        file = self._file(ENDS, site)
        return load_file(file)["u_NK"] if file.exists() else None

    def store_end(self, site: str, u_NK: Float[Tensor, "N K"]) -> None:
        """Keep the leading inputs of the last checkpoint at a site."""
        self._write(self._file(ENDS, site), {"u_NK": u_NK})

    def sequences(self) -> Sequences | None:
        """The token sequences, or None while they are not kept."""
        file = self.folder / TOKENS
        return Sequences(**json.loads(file.read_text())) if file.exists() else None

    def store_sequences(self, sequences: Sequences) -> None:
        """Keep the token sequences."""
        write_json(self.folder / TOKENS, asdict(sequences))

    def described(self) -> dict[str, Any]:
        """What the summary says of the inputs; empty while they are not complete."""
        file = self.folder / COMPLETE
        return json.loads(file.read_text()) if file.exists() else {}

    def finish(self, description: dict[str, Any]) -> None:
        """Declare everything kept."""
        write_json(self.folder / COMPLETE, description)

    def _file(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.safetensors"

    def _write(self, path: Path, tensors: dict[str, Tensor]) -> None:
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_atomically(path, lambda file: save_file(whole, file))
