"""Draw docs/figures/gates.png and print the table of docs/concepts/gates.md from a finished study.

make study && .venv/bin/python docs/figures/gates.py runs/study
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
from demo import LOOKS
from matplotlib.figure import Figure

from hodograph.report.gates import (
    Account,
    curve_table,
    leash,
    leash_table,
    ranks,
    ranks_table,
    read_account,
    visible,
)

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "font.size": 9,
}

ROWS = (
    ("relative norm, %", "I.relative_norm", 1e2),
    ("KL to W0, 10⁻³ nats a token", "I.kl_to_anchor", 1e3),
    ("KL to step 90, 10⁻⁵", "I.kl_step", 1e5),
    ("KL from W0, 10⁻³", "I.kl_from_anchor", 1e3),
    ("the same to second order, 10⁻³", "I.quadratic", 1e3),
    ("isotropic update of that norm, 10⁻³", "I.null", 1e3),
    ("curvature ratio, one matrix alone", "I.curvature_ratio", 1),
    ("the same, random with its inputs", "I.curvature_ratio_inputs", 1),
    ("norm an isotropic update may have, %", "I.bound", 1e2),
    ("effective rank, reward on its samples", "II.effective_rank_shared", 1),
    ("the same, rewards permuted", "II.null.shared", 1),
    ("the same, random signs a sample", "II.signs.shared", 1),
    ("effective rank, log-ratios on the same", "II.effective_rank_per_token", 1),
    ("the same, log-ratios permuted", "II.null.per_token", 1),
    ("the same, random signs a token", "II.signs.per_token", 1),
    ("principal energy, rewards", "II.principal_energy.shared", 1),
    ("principal energy, log-ratios", "II.principal_energy.per_token", 1),
    ("isotropic", "II.isotropic", 1),
    ("the layer's inputs", "II.inputs", 1),
    ("visible changes, deviation from the gate, points", "III.deviation", 1e2),
    ("Gaussian updates", "III.null", 1e2),
    ("D permuted", "III.permuted", 1e2),
)
"""A row's name, its place under `gates` in gates.json, and the unit it is told in."""


def cell(seeds: Sequence[Account], place: str, unit: float) -> str:
    """Mean over seeds, and their range."""
    values = []
    for account in seeds:
        found = account["gates"]
        for key in (*place.split("."), "value"):
            found = found[key]
        values.append(unit * found)
    return f"{fmean(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def table(accounts: dict[str, list[Account]]) -> str:
    """The accounts at the last step, as Markdown."""
    lines = ["| | " + " | ".join(arm.replace("_", " ") for arm in accounts) + " |"]
    lines.append("|---" * (1 + len(accounts)) + "|")
    for name, place, unit in ROWS:
        cells = [cell(seeds, place, unit) for seeds in accounts.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Draw a panel a gate; seeds whose account is missing are left out of an arm's mean."""
    folder = Path(sys.argv[1])
    accounts = {
        arm: [
            read_account(file.parent)
            for file in sorted(folder.glob(f"seed_*/{arm}/gates/gates.json"))
        ]
        for arm in LOOKS
    }
    print(table(accounts))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 3.4), layout="constrained", dpi=110)
        first, second, third = figure.subplots(1, 3)
        leash(leash_table(accounts), first, LOOKS).set_title("I: divergence spent", fontsize=10)
        ranks(ranks_table(accounts), second, LOOKS).set_title("II: effective rank", fontsize=10)
        visible(curve_table(accounts), third, LOOKS).set_title("III: visible changes", fontsize=10)
        figure.savefig(Path(__file__).with_name("gates.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
