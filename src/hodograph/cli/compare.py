"""`hodograph compare`: two runs from one W0, matrix by matrix."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from hodograph.cli.printed import Line, number
from hodograph.cli.progress import entries_bar
from hodograph.cli.terminal import Terminal
from hodograph.comparison import Comparison
from hodograph.comparison import compare as compare_runs
from hodograph.engine.settings import Nonfinite, PairSettings
from hodograph.matrices.pairing import Scope, Unpaired
from hodograph.tables.pairs import SHARED

LINES = (
    Line("cosine", "cosine of updates", None, 1, ".3f"),
    Line("orthogonal_share", "orthogonal share, %", None, 100, ".2f"),
    Line("sim16_right", "Sim_16, right", "sim16_right_chance", 1, ".3f"),
    Line("sim16_left", "Sim_16, left", "sim16_left_chance", 1, ".3f"),
    Line("mask_jaccard", "Jaccard of masks", "mask_jaccard_independent", 1, ".3f"),
    Line("mask_jaccard", "Jaccard, W0's exponent", "mask_jaccard_gate", 1, ".3f"),
    Line("coverage_a", "of A's changes in B, %", "density_b", 100, ".2f"),
    Line("coverage_b", "of B's changes in A, %", "density_a", 100, ".2f"),
    Line("sign_agreement", "same sign in both, %", None, 100, ".2f"),
    Line("intruders_left_a", "intruders of A, left", None, 1, ".2f"),
    Line("intruders_right_a", "intruders of A, right", None, 1, ".2f"),
    Line("intruders_left_b", "intruders of B, left", None, 1, ".2f"),
    Line("intruders_right_b", "intruders of B, right", None, 1, ".2f"),
)
CHANCE_SIGN = 50.0  # %, of two directions that know nothing of each other
SHARED_LINES = {
    "update_sparsity": Line("update_sparsity", "sparsity, %", None, 100, ".2f"),
    "relative_norm": Line("relative_norm", "relative norm, %", None, 100, ".4f"),
    "angle_left_mean": Line("angle_left_mean", "angle, left, °", None, 1, ".4f"),
    "angle_right_mean": Line("angle_right_mean", "angle, right, °", None, 1, ".4f"),
    "nss": Line("nss", "NSS, x 1e-3", None, 1e3, ".4f"),
    "stable_rank": Line("stable_rank", "stable rank", None, 1, ".2f"),
}
CONVINCING = 0.05
LEGEND = (
    "Means over matrices (differences of sparsity: over weights); intervals are over",
    "layers. null: independent masks, masks independent given W0's exponent, random",
    "subspaces, random signs. intruders: of the top 10 singular vectors of A or B,",
    "those like none of W0's (|cosine| < 0.5). p: signs of whole layers flipped; q: p",
    "adjusted for the number of tests.",
)


def compare(
    base: Path,
    a: Path,
    b: Path,
    *,
    out: Path,
    workers: int = 1,
    scope: Scope = "linear",
    angle_k: int = 512,
    exact: Annotated[bool, Parameter(negative="")] = False,
    device: str = "cpu",
    seed: int = 0,
    unpaired: Unpaired = "error",
    nonfinite: Nonfinite = "error",
    dequantise: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare the updates of two runs, A and B, that started from BASE.

    A and B are checkpoints, or run folders, whose last checkpoint is taken. Run the same command
    again after an interruption: it goes on where it stopped.

    Parameters
    ----------
    base
        W0 of both: a file or folder with weights, or hf://org/name@revision.
    a
        One run: a run folder, or a checkpoint or LoRA adapter of BASE.
    b
        The other run, likewise.
    out
        Folder for pairs.parquet and compare.json.
    workers
        Processes, one thread each; the numbers are bitwise the same for any number. At most one
        a CUDA device.
    scope
        linear (q, k, v, o, gate, up, down), attention (q, k, v, o) or all.
    angle_k
        Largest dimension of the principal subspaces.
    exact
        Factor every matrix by a full SVD, the reference, several times slower.
    device
        Where matrices are factored: cpu, cuda (every GPU, one process each), or cuda:1.
    seed
        Seed of the bootstrap and of the permutations over layers.
    unpaired
        error, or skip tensors that are not in all three checkpoints.
    nonfinite
        error, or skip matrices with NaN or infinity.
    dequantise
        Read FP8 weights as codes times scales.
    """
    settings = PairSettings(
        scope=scope, angle_k=angle_k, exact=exact, device=device, seed=seed, unpaired=unpaired,
        nonfinite=nonfinite, dequantise=dequantise,
    )  # fmt: skip
    with entries_bar("comparing") as on_progress:
        comparison = compare_runs(
            base, a, b, out=out, settings=settings, workers=workers, on_progress=on_progress
        )
    print_comparison(Terminal(), comparison)
    Terminal().print(f"tables: {out}", soft_wrap=True, highlight=False)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print what the two runs share, what sets them apart, and where in the model."""
    summary = comparison.summary
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    for name in ("base", "a", "b"):
        console.print(f"{name}: {summary[name]['path']}", soft_wrap=True, highlight=False)
    console.print(f"W0: {summary['base']['digest'][:16]}", highlight=False)
    console.print(_shared(summary))
    console.print(_apart(summary["differences"]))
    console.print(_heat_map(summary["modules"]))
    for line in (*LEGEND, _tested(summary["differences"])):
        console.print(line, highlight=False)
    if summary["skipped"]:
        console.print(f"{len(summary['skipped'])} tensors were skipped; compare.json says why.")


def _table(title: str, *headings: str) -> Table:
    table = Table("", title=title, box=None, pad_edge=False, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap="interval" in heading)
    return table


def _shared(summary: dict[str, Any]) -> Table:
    title = f"{summary['matrices']} matrices ({summary['scope']})"
    table = _table(title, "value", "null", "95 % interval")
    cosine = summary["whole"]["cosine"]
    table.add_row("cosine, whole update", number(cosine, LINES[0]), "", "")
    metrics = summary["metrics"]
    for line in LINES:
        if (entry := metrics[line.metric])["mean"] is not None:
            null = metrics[line.null]["mean"] if line.null else None
            shown = number(null, line) or (
                f"{CHANCE_SIGN:.2f}" if line.metric == "sign_agreement" else ""
            )
            table.add_row(line.label, number(entry["mean"], line), shown, _interval(entry, line))
    return table


def _apart(differences: list[dict[str, Any]]) -> Table:
    table = _table("differences, A - B", "A", "B", "A - B", "95 % interval", "p", "q")
    for test in differences:
        line = SHARED_LINES[test["metric"]]
        cells = [number(test[key], line) for key in ("a", "b", "difference")]
        chances = ["" if test[key] is None else f"{test[key]:.2g}" for key in ("p", "q")]
        table.add_row(line.label, *cells, _interval(test, line), *chances)
    return table


def _heat_map(modules: list[dict[str, Any]]) -> Table:
    """Differences by module; a star where the adjusted p-value convinces."""
    names = list(dict.fromkeys(test["module"] for test in modules))
    cells = {(test["module"], test["metric"]): test for test in modules}
    labels = [SHARED_LINES[metric].label for metric in SHARED]
    table = _table("A - B by module; * where q <= .05", *labels)
    for name in names:
        table.add_row(name, *(_cell(cells[name, metric]) for metric in SHARED))
    return table


def _cell(test: dict[str, Any]) -> str:
    star = "*" if test["q"] is not None and test["q"] <= CONVINCING else ""
    return number(test["difference"], SHARED_LINES[test["metric"]]) + star


def _interval(entry: dict[str, Any], line: Line) -> str:
    ends = [number(entry.get(side), line) for side in ("low", "high")]
    return " to ".join(ends) if all(ends) else ""


def _tested(differences: list[dict[str, Any]]) -> str:
    least = [test["least_p"] for test in differences if test["least_p"] is not None]
    if not least:
        return "Fewer than two layers differ: there is nothing to test."
    return f"The least p that so many layers can give: {min(least):.2g}."
