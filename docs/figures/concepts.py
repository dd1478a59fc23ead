"""Draw the figure of each concept page from a finished demo study: a value and its null.

make demo && .venv/bin/python docs/figures/concepts.py runs/demo
"""

import sys
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from demo import LOOKS, measured
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from hodograph import compare
from hodograph.checkpoints import open_checkpoint
from hodograph.diagnostics.spectrum import resolution
from hodograph.linalg.factor import factor
from hodograph.matrices.update import stored_update
from hodograph.modules import LINEAR

Arms = Mapping[str, pd.DataFrame]
HERE = Path(__file__).parent
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "font.size": 9,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
NULL = "#6b6b6b"
SHOWN = "model.layers.1.mlp.down_proj.weight"  # the matrix whose spectrum is drawn


def last(table: pd.DataFrame, storage: str = "float32") -> pd.DataFrame:
    """Matrices of the last checkpoint in one storage."""
    return table[(table["storage"] == storage) & (table["step"] == table["step"].max())]


def along(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Means over matrices of float32 rows, by step."""
    return table[table["storage"] == "float32"].groupby("step")[list(columns)].mean()


def visibility(arms: Arms, axes: list[Axes]) -> None:
    """Share of entries that visibly changed, by exponent of W0, and the gate's prediction."""
    for arm, look in LOOKS.items():
        lists = last(arms[arm])[["exponents", "exponent_entries", "exponent_changed"]]
        gate = last(arms[arm])["exponent_gate"]
        flat = lists.assign(gate=gate).explode([*lists.columns, "gate"]).astype(float)
        flat["predicted"] = flat["gate"] * flat["exponent_entries"]
        sums = flat.groupby("exponents").sum()
        kept = sums[(sums["exponent_entries"] > 1e-4 * sums["exponent_entries"].sum())]
        power = kept.index - 127
        seen = kept["exponent_changed"] / kept["exponent_entries"]
        axes[0].plot(power, seen, color=look.colour, marker=look.marker, ms=4, ls="", label=arm)
        axes[0].plot(power, kept["predicted"] / kept["exponent_entries"], color=look.colour, lw=1)
    axes[0].plot([], [], color=NULL, lw=1, label="gate: one Gaussian size")
    axes[0].set_xlabel("exponent e of the weight, 2ᵉ ≤ |w| < 2ᵉ⁺¹")
    axes[0].set_ylabel("visibly changed")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    axes[0].legend()


def landing(arms: Arms, axes: list[Axes]) -> None:
    """Overlap with both masks against density, at every checkpoint, and the null in strata."""
    titles = {"principal": "principal mask, 30 %", "low": "low mask, 30 %"}
    for (mask, title), panel in zip(titles.items(), axes, strict=True):
        value, null = f"overlap_{mask}_30", f"overlap_{mask}_30_expected"
        for arm, look in LOOKS.items():
            points = along(arms[arm], "density", value, null).sort_values("density")
            panel.plot(points["density"], points[null], color=look.colour, lw=1)
            panel.plot(points["density"], points[value], color=look.colour, marker=look.marker,
                       ms=4, ls="", label=arm)  # fmt: skip
        panel.plot([], [], color=NULL, lw=1, label="expected in strata")
        panel.axhline(0.3, color=NULL, ls=":", lw=1, label="alpha")
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("density of visible changes")
        panel.xaxis.set_major_formatter(PercentFormatter(1))
        panel.yaxis.set_major_formatter(PercentFormatter(1))
    axes[0].set_ylabel("share of the changes")
    axes[0].legend()


def _against_size(arms: Arms, panel: Axes, value: str, null: str, label: str) -> None:
    for arm, look in LOOKS.items():
        points = along(arms[arm], "relative_norm", value, null)
        panel.plot(points["relative_norm"], points[value], color=look.colour, marker=look.marker,
                   ms=4, ls="", label=arm)  # fmt: skip
        panel.plot(points["relative_norm"], points[null], color=look.colour, lw=1)
    panel.plot([], [], color=NULL, lw=1, label=label)
    panel.set_xscale("log")
    panel.set_yscale("log")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g} %"))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    panel.set_xlabel("relative norm ‖D‖ / ‖W0‖")
    panel.legend()


def rotation(arms: Arms, axes: list[Axes]) -> None:
    """Mean principal angle against the size of the update, and that of an isotropic one."""
    isotropic = "isotropic update of this size"
    _against_size(arms, axes[0], "angle_right_mean", "angle_right_mean_null", isotropic)
    axes[0].set_ylabel("mean right angle, degrees")


def spectral_shift(arms: Arms, axes: list[Axes]) -> None:
    """NSS against the size of the update, and that of an isotropic one."""
    _against_size(arms, axes[0], "nss", "nss_null", "isotropic update of this size")
    axes[0].set_ylabel("NSS")


def energy(arms: Arms, axes: list[Axes]) -> None:
    """Energy of the update in W0's top 16 right and left directions, and both references."""
    for side, panel in zip(("right", "left"), axes, strict=True):
        column = f"principal_energy_{side}_16"
        for place, (arm, look) in enumerate(LOOKS.items()):
            rows = last(arms[arm])
            panel.plot(place, rows[column].mean(), color=look.colour, marker=look.marker, ls="")
            isotropic = rows[f"{column}_isotropic"].mean()
            panel.plot([place - 0.3, place + 0.3], [isotropic] * 2, color=NULL, lw=2)
        panel.set_title(f"top 16 {side} directions of W0", fontsize=10)
        panel.set_xticks(range(len(LOOKS)), list(LOOKS), fontsize=8)
        panel.yaxis.set_major_formatter(PercentFormatter(1))
        own = rows["principal_energy_16_base"].mean()
        panel.set_ylim(0, 1.15 * own)
        panel.axhline(own, color=NULL, ls=":", lw=1)
        panel.annotate("W0's own share", (0, own), (4, 4), xycoords=("axes fraction", "data"),
                       textcoords="offset points", color=NULL, fontsize=8)  # fmt: skip
        panel.plot([], [], color=NULL, lw=2, label="isotropic update")
        panel.legend(loc="lower left")
    axes[0].set_ylabel("share of the update's energy")


def update_spectrum(folder: Path, axes: list[Axes]) -> None:
    """Singular values of one update in float32 and as bfloat16 shows it, with the noise floor."""
    run = folder / "seed_0/random_reward/checkpoints"
    steps = (17, 100)
    base_MN = open_checkpoint(run / "step_0").read(SHOWN)
    for step, panel in zip(steps, axes, strict=True):
        stored = stored_update(base_MN, open_checkpoint(run / f"step_{step}").read(SHOWN))
        for update, look in ((stored.in_bfloat16(), "#c8500a"), (stored, "#0b5fa5")):
            sigma_R = factor(update.difference_MN, 1).sigma_R
            panel.plot(range(1, len(sigma_R) + 1), sigma_R, color=look, label=update.storage)
        floor = resolution(stored.in_bfloat16(), sigma_R, density=1)["noise_floor"]
        panel.axhline(floor, color=NULL, ls="--", lw=1, label="noise floor of bfloat16")
        panel.set_yscale("log")
        panel.set_ylim(floor / 30, 30 * floor)
        panel.set_title(f"random_reward, step {step}", fontsize=10)
        panel.set_xlabel("index of the singular value")
    axes[0].set_ylabel("singular value of D")
    axes[0].legend()


def size_and_path(arms: Arms, axes: list[Axes]) -> None:
    """Kappa beside a random walk's, and Sim_16 in its three forms beside chance."""
    left, right = axes
    for arm, look in LOOKS.items():
        points = along(arms[arm], "kappa", "kappa_random_walk")
        left.plot(points["kappa"], color=look.colour, marker=look.marker, ms=4, label=arm)
    left.plot(points["kappa_random_walk"], color=NULL, ls="--", lw=1, label="random walk")
    left.set_ylim(0, 1.02)
    left.set_ylabel("kappa")
    left.legend()
    names = {"sim16_end": "end", "sim16_disjoint": "disjoint", "sim16_adjacent": "adjacent"}
    forms = along(arms["opd"], *names, "sim16_chance")
    for (column, name), line in zip(names.items(), ("-", "--", "-."), strict=True):
        right.plot(forms[column].dropna(), color=LOOKS["opd"].colour, ls=line, marker="s", ms=4,
                   label=f"opd, {name} form")  # fmt: skip
    right.axhline(forms["sim16_chance"].iloc[0], color=NULL, ls=":", label="chance, K / n")
    right.set_ylim(0, 1.02)
    right.set_ylabel("Sim_16, right vectors")
    right.legend(loc="center right")
    for panel in axes:
        panel.set_xlabel("optimizer steps")


def lock(arms: Arms, axes: list[Axes]) -> None:
    """Capture of the rest of the way by the early subspace, as float32 and bfloat16 show it."""
    for storage, panel in zip(("float32", "bfloat16"), axes, strict=True):
        for arm, look in LOOKS.items():
            table = arms[arm]
            rows = table[(table["storage"] == storage) & table["capture16"].notna()]
            points = rows.groupby("step")[["capture16", "lock_counts"]].mean()
            panel.plot(points["capture16"], color=look.colour, lw=1)
            counted = points["lock_counts"] >= 0.5
            for some, fill in ((points[counted], look.colour), (points[~counted], "white")):
                panel.plot(some["capture16"], color=look.colour, marker=look.marker, ms=5, ls="",
                           mfc=fill)  # fmt: skip
            panel.plot([], [], color=look.colour, marker=look.marker, ms=4, label=arm)
        panel.axhline(0.5, color=NULL, ls="--", lw=1, label="threshold of a lock")
        panel.axhline(0, color=NULL, ls=":", lw=1, label="chance")
        panel.set_ylim(-0.06, 1.02)
        panel.set_title(storage, fontsize=10)
        panel.set_xlabel("optimizer steps")
    axes[0].set_ylabel("capture16")
    axes[0].legend()


def two_runs(folder: Path, axes: list[Axes]) -> None:
    """Jaccard index of visible masks of every pair of arms, and what independence gives."""
    runs = folder / "seed_0"
    pairs = list(combinations(LOOKS, 2))
    for place, (one, other) in enumerate(reversed(pairs)):
        base = runs / one / "checkpoints/step_0"
        rows = compare(base, runs / one, runs / other).pairs
        size = rows["rows"] * rows["cols"]
        for column, marker, colour in (
            ("mask_jaccard_independent", "|", "#b0b0b0"),
            ("mask_jaccard_gate", "|", NULL),
            ("mask_jaccard", "o", LOOKS["opd"].colour),
        ):
            mean = np.average(rows[column], weights=size)
            ms = 6 if marker == "o" else 18
            axes[0].plot(mean, place, marker=marker, ms=ms, mew=2, color=colour, ls="")
    axes[0].plot([], [], marker="o", ls="", color=LOOKS["opd"].colour, label="measured")
    axes[0].plot([], [], marker="|", ms=12, mew=2, ls="", color=NULL, label="given W0's exponents")
    axes[0].plot([], [], marker="|", ms=12, mew=2, ls="", color="#b0b0b0", label="independent")
    axes[0].set_yticks(range(len(pairs)), [f"{a}, {b}" for a, b in reversed(pairs)], fontsize=8)
    axes[0].set_xlabel("Jaccard index of the visible changes")
    axes[0].legend()


def inputs(arms: Arms, axes: list[Axes]) -> None:
    """By module: capture of the rest from the first checkpoint, and energy in the top inputs."""
    there = set(arms["sft"]["module"])
    modules = [module for module in LINEAR if module in there]
    shown = (
        ("capture16", "capture16_by_inputs", "capture16_input_null", min),
        ("input_energy16", None, "input_energy16_null", max),
    )
    for panel, (value, beside, null, pick) in zip(axes, shown, strict=True):
        for place, (arm, look) in enumerate(LOOKS.items()):
            table = arms[arm]
            rows = table[(table["storage"] == "float32") & (table["step"] == pick(table["step"]))]
            means = rows.groupby("module")[[c for c in (value, beside, null) if c]].mean()
            means = means.loc[modules]
            x = np.arange(len(modules)) + 0.16 * (place - 1.5)
            panel.plot(x, means[value], color=look.colour, marker=look.marker, ms=4, ls="",
                       label=arm)  # fmt: skip
            if beside:
                panel.plot(x, means[beside], color=look.colour, marker=look.marker, ms=4, ls="",
                           mfc="white")  # fmt: skip
            panel.plot(x, means[null], color=NULL, marker="_", ms=6, mew=1.2, ls="")
        panel.set_xticks(range(len(modules)), [m.removesuffix("_proj") for m in modules])
    axes[0].plot([], [], color=NULL, marker="o", mfc="white", ls="", ms=4,
                 label="by a random update, same inputs")  # fmt: skip
    axes[0].plot([], [], color=NULL, marker="_", ls="", label="random updates of each other")
    axes[0].set_ylabel("capture of the rest of the way")
    axes[0].legend(loc="lower left", fontsize=7)
    axes[1].axhline(16 / 128, color=NULL, ls=":", lw=1)
    axes[1].plot([], [], color=NULL, ls=":", label="chance (down: 16 / 256)")
    axes[1].plot([], [], color=NULL, marker="_", ls="", label="random updates, same inputs")
    axes[1].set_ylim(0, 1)
    axes[1].set_ylabel("energy in the top 16 inputs")
    axes[1].yaxis.set_major_formatter(PercentFormatter(1))
    axes[1].legend(
        handles=axes[1].get_legend_handles_labels()[0][-2:], loc="center left", fontsize=7
    )


def draw(plot: Callable[[list[Axes]], None], name: str, panels: int) -> None:
    """Save one figure of one or two panels beside this script."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * panels + 0.8, 3.2), layout="constrained", dpi=110)
        plot(list(figure.subplots(1, panels, squeeze=False)[0]))
        figure.savefig(HERE / f"{name}.png", metadata={"Software": None})


def main() -> None:
    """Draw them all."""
    folder = Path(sys.argv[1])
    arms = measured(folder)
    of_arms = {
        visibility: 1, landing: 2, rotation: 1, spectral_shift: 1, energy: 2, size_and_path: 2,
        lock: 2, inputs: 2,
    }  # fmt: skip
    for plot, panels in of_arms.items():
        draw(lambda axes, plot=plot: plot(arms, axes), plot.__name__, panels)
    draw(lambda axes: update_spectrum(folder, axes), "update_spectrum", 2)
    draw(lambda axes: two_runs(folder, axes), "two_runs", 1)


if __name__ == "__main__":
    main()
