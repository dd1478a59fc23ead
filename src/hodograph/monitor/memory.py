"""What the monitor keeps between two looks: W0, the weights seen last, and a walk a matrix.

In a folder of its own it also leaves what a resumed run needs:

FOLDER/w0.safetensors           W0
FOLDER/last.safetensors         the weights seen last, where they are not kept in memory
FOLDER/state_N.safetensors      all the rest, beside the trainer's checkpoint-N
FOLDER/metrics.jsonl            one JSON object a look
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hodograph.atomic import write_text
from hodograph.errors import SettingsError
from hodograph.monitor.kept import (
    OnDisk,
    Weights,
    in_memory,
    read_metadata,
    read_weights,
    write_weights,
)
from hodograph.monitor.live import LiveParameter
from hodograph.monitor.state import packed, unpack
from hodograph.monitor.walk import MatrixWalk

RECORDS, SEEN = "monitor", "seen/"
_LOST = (
    "training resumes at step {step}, but what the monitor saw before is not at hand: {where}.\n"
    "  Give the monitor the folder the run began with, or train from the start."
)


@dataclass
class Memory:
    """W0, the weights seen last, and the walks.

    Attributes:
        folder: where things are kept for a resumed run, None for nowhere.
        on_disk: weights stay on disk, memory-mapped, rather than in memory.
        walks: by matrix.
        base: W0, by parameter.
        last: the weights seen last.
        rates: sum of the learning rate of each of the optimizer's groups.
        steps: steps the optimizer took.
    """

    folder: Path | None
    on_disk: bool
    walks: dict[str, MatrixWalk]
    base: Weights = field(default_factory=dict)
    last: Weights = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    steps: int = 0

    def begin(self, live: Sequence[LiveParameter]) -> None:
        """Keep W0, and forget what an earlier run left in the folder."""
        weights = {parameter.name: parameter.read() for parameter in live}
        if self.folder is not None:
            for left in [*self.folder.glob("state_*.safetensors"), self.metrics]:
                left.unlink(missing_ok=True)
            write_weights(self._file("w0"), weights)
        self.base = OnDisk(self._file("w0")) if self.on_disk else in_memory(weights)
        self.last = self.base

    def see(self, weights: Weights) -> None:
        """Take these weights for the ones seen last."""
        if self.on_disk:
            write_weights(self._file("last"), weights)
        self.last = OnDisk(self._file("last")) if self.on_disk else in_memory(weights)

    def note(self, step: int, values: dict[str, float]) -> None:
        """Append a line to metrics.jsonl, where there is a folder."""
        if self.folder is not None:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")

    def save(self, step: int, output: Path) -> None:
        """Leave what a run resumed at this step needs; drop what no checkpoint can resume.

        Args:
            step: optimizer step of the trainer's checkpoint.
            output: folder of the trainer's checkpoints.
        """
        if self.folder is None:
            return
        tensors, walks = packed(self.walks)
        tensors |= {SEEN + name: self.last[name] for name in self.last}
        records = {"walks": walks, "rates": self.rates, "steps": self.steps}
        write_weights(self._file(f"state_{step}"), tensors, {RECORDS: json.dumps(records)})
        for old in self.folder.glob("state_*.safetensors"):
            if not (output / f"checkpoint-{old.stem.removeprefix('state_')}").is_dir():
                old.unlink()

    def resume(self, step: int, live: Sequence[LiveParameter]) -> None:
        """Take up what was left at this step.

        Raises:
            SettingsError: nothing was left, or it is of other matrices.
            StorageError: it cannot be read back.
        """
        if self.folder is None:
            raise SettingsError(_LOST.format(step=step, where="it was given no folder"))
        state = self._file(f"state_{step}")
        if not state.exists():
            raise SettingsError(_LOST.format(step=step, where=f"there is no {state}"))
        tensors, records = read_weights(state), json.loads(read_metadata(state)[RECORDS])
        if records["walks"].keys() != self.walks.keys():
            raise SettingsError(
                f"{state} is of other matrices: the monitor's scope and layers must stay as they"
                " were."
            )
        unpack(self.walks, tensors, records["walks"])
        self.rates, self.steps = records["rates"], records["steps"]
        self.base = OnDisk(self._file("w0")) if self.on_disk else read_weights(self._file("w0"))
        self.see({parameter.name: tensors[SEEN + parameter.name] for parameter in live})
        self._rewind(step)

    @property
    def metrics(self) -> Path:
        """The log in the folder."""
        assert self.folder is not None
        return self.folder / "metrics.jsonl"

    def _rewind(self, step: int) -> None:
        """Drop the lines of steps that are trained again, and one cut short."""
        if self.metrics.exists():
            lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            write_text(self.metrics, "".join(x for x in whole if json.loads(x)["step"] <= step))

    def _file(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}.safetensors"
