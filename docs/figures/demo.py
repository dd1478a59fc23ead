"""Draw docs/figures/demo.png from a finished demo study.

make demo && .venv/bin/python docs/figures/demo.py runs/demo
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from hodograph.report import figures
from hodograph.report.series import attention_rows, trajectory
from hodograph.report.style import PAPER, Look
from hodograph.tables.store import read_measurement

LOOKS = {
    "sft": Look("#0b5fa5", "o", "-"),
    "opd": Look("#c8500a", "s", "-"),
    "rlvr": Look("#0a7a4b", "D", "-"),
    "random_reward": Look("#8a3a8f", "^", "-"),
}


def measured(folder: Path) -> dict[str, pd.DataFrame]:
    """The matrices of every arm, first seed."""
    study = json.loads((folder / "study.json").read_text())
    first = [run for run in study["runs"] if run["seed"] == study["seeds"][0]]
    arms = {run["name"]: run["measurement"] for run in first if run["measurement"]}
    return {name: read_measurement(folder / arms[name])[0] for name in LOOKS}


def sizes(arms: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Sparsity and relative norm of every checkpoint, one line an arm."""
    parts = []
    for arm, table in arms.items():
        stored = table[table["storage"] == "float32"]
        points = stored.groupby("step")[["update_sparsity", "relative_norm"]].mean().reset_index()
        parts.append(points.assign(arm=arm))
    return pd.concat(parts, ignore_index=True)


def stable_ranks(arms: dict[str, pd.DataFrame], storage: str) -> pd.DataFrame:
    """Mean stable rank of the attention matrices against steps."""
    parts = []
    for arm, table in arms.items():
        series = trajectory(attention_rows(table)[0], "stable_rank", weighted=False)
        parts.append(series[series["storage"] == storage].assign(arm=arm))
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Draw three panels: size explains sparsity; stable rank in float32 and through bfloat16."""
    arms = measured(Path(sys.argv[1]))
    ranks = {storage: stable_ranks(arms, storage) for storage in ("float32", "bfloat16")}
    limits = figures.limits(pd.concat(ranks.values()))
    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}):
        figure = Figure(figsize=(11, 3.4), layout="constrained", dpi=120)
        size, *trajectories = figure.subplots(1, 3)
        figures.sparsity_against_size(sizes(arms), size, LOOKS)
        size.set_title("update sparsity against size", fontsize=10)
        for (storage, series), axes in zip(ranks.items(), trajectories, strict=True):
            figures.trajectory(series, axes, LOOKS, limits=limits)
            seen = "in float32" if storage == "float32" else "as visible in bfloat16"
            axes.set_title(f"stable rank, attention, {seen}", fontsize=10)
        for axes in (size, *trajectories):
            for line in axes.lines:
                if line.get_markerfacecolor() == PAPER:
                    line.set_markerfacecolor("white")
            axes.grid(visible=True, color="#e3e3e3", linewidth=0.6)
        for name, look in LOOKS.items():
            size.plot([], [], color=look.colour, marker=look.marker, label=name)
        size.legend(frameon=False, fontsize=8)
        figure.savefig(Path(__file__).with_suffix(".png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
