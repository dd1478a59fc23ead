"""Draw docs/figures/gates.png from the accounts of the gates in a finished study.

hodograph study examples/studies/miniature/gates.toml --out runs/gates
.venv/bin/python docs/figures/gates.py runs/gates
"""

import sys
from pathlib import Path

import matplotlib as mpl
from demo import LOOKS
from matplotlib.figure import Figure

from hodograph.report.gates import (
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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 3.4), layout="constrained", dpi=110)
        first, second, third = figure.subplots(1, 3)
        leash(leash_table(accounts), first, LOOKS).set_title("I: divergence spent", fontsize=10)
        ranks(ranks_table(accounts), second, LOOKS).set_title("II: effective rank", fontsize=10)
        visible(curve_table(accounts), third, LOOKS).set_title("III: visible changes", fontsize=10)
        figure.savefig(Path(__file__).with_name("gates.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
