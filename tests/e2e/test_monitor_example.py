"""`examples/monitor.py` as a user runs it: TRL's own trainer, TensorBoard, one line of ours."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from planted.words import chat_model

EXAMPLE = Path(__file__).parents[2] / "examples/monitor.py"


@pytest.mark.filterwarnings("default")  # TRL's defaults meet transformers' deprecations
def test_the_example_shows_the_geometry_in_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = chat_model(tmp_path / "model"), tmp_path / "out"
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(model), str(out)])
    runpy.run_path(str(EXAMPLE))
    lines = (out / "geometry/metrics.jsonl").read_text().splitlines()
    logged = {line["step"]: line["geometry/relative_norm"] for line in map(json.loads, lines)}
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    shown = {e.step: e.value for e in events.Scalars("train/geometry/relative_norm")}
    assert shown.keys() == logged.keys() == {3, 6, 9, 12}
    assert all(abs(shown[step] / value - 1) < 1e-6 for step, value in logged.items())
    assert len(events.Scalars("train/loss")) == 12  # TRL's own log is whole
    assert len(events.Scalars("train/mean_token_accuracy")) == 12
