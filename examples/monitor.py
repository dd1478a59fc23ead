"""Watch the geometry of the update in a trainer of your own: plain TRL, plus one line.

python examples/monitor.py MODEL OUT     # MODEL: a chat model's folder

The values are in OUT/geometry/metrics.jsonl, and, under train/geometry/, where the trainer logs:

tensorboard --logdir OUT/runs
"""

import json
import sys
from pathlib import Path

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

import hodograph

MODEL, OUT = sys.argv[1], Path(sys.argv[2])
WORDS = Path(__file__).parent / "data" / "words.jsonl"


def conversation(row: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    """Turn a word problem into a prompt and a completion, as TRL wants them."""
    return {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "completion": [{"role": "assistant", "content": row["completion"]}],
    }


rows = [json.loads(line) for line in WORDS.read_text().splitlines()]
trainer = SFTTrainer(
    model=MODEL,
    args=SFTConfig(
        output_dir=str(OUT),
        max_steps=12,
        per_device_train_batch_size=4,
        learning_rate=1e-4,
        logging_steps=1,
        save_strategy="no",
        report_to="tensorboard",
        bf16=False,
    ),
    train_dataset=Dataset.from_list([conversation(row) for row in rows]),
)
trainer.add_callback(hodograph.Monitor(every=3, folder=OUT / "geometry"))
trainer.train()
