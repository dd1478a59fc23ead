"""`examples/monitor.py` as a user runs it: TRL's own trainer, TensorBoard, one line of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from planted.words import chat_model


def test_the_example_shows_the_geometry_in_tensorboard(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": "src", "OMP_NUM_THREADS": "1"}
    environment |= {"HF_HUB_OFFLINE": "1", "TENSORBOARD_LOGGING_DIR": str(tmp_path / "events")}
    model, out = chat_model(tmp_path / "model"), tmp_path / "out"
    command = [sys.executable, "examples/monitor.py", str(model), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = (out / "geometry/metrics.jsonl").read_text().splitlines()
    logged = {line["step"]: line["geometry/relative_norm"] for line in map(json.loads, lines)}
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    shown = {e.step: e.value for e in events.Scalars("train/geometry/relative_norm")}
    assert shown.keys() == logged.keys() == {3, 6, 9, 12}
    assert all(abs(shown[step] / value - 1) < 1e-6 for step, value in logged.items())
    assert len(events.Scalars("train/loss")) == 12  # TRL's own log is whole
    assert len(events.Scalars("train/mean_token_accuracy")) == 12
