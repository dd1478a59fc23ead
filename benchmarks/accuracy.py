"""How far the fast numbers are from the reference's, and both from 40-digit arithmetic.

    python benchmarks/accuracy.py [BASE TUNED] [--every 10] [--small]

The reference is what `--exact` takes: full float64 SVDs, and sines from full decompositions. The
first table holds the largest difference over planted updates of weight-like matrices, over every
tenth matrix of a pair of checkpoints where one is given, and over adversarial matrices. Counts are
held to their definitions.

A number cannot agree to more digits than it is defined to. Goals of angles and Sim_16 hold where
both ways certify their subspaces to 1e-6 degrees, and that of Hill's estimate where the errors of
the values leave it four digits. Everywhere the difference must be within the bounds of both ways.

The second table divides true errors by certificates, with truth to 40 digits.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import run
from torch import Tensor

from cases import Case, adversarial_cases, cost, planted_cases, stored_cases
from harness import machine, table, under_a_bar
from hodograph.diagnostics.path import TopVectors, shared_size
from hodograph.diagnostics.rotation import principal_size, rotation
from hodograph.diagnostics.shift import spectral_shift
from hodograph.diagnostics.spectrum import update_spectrum
from hodograph.linalg.certificates import ANGLE_TARGET, shift_error, subspace_error
from hodograph.linalg.compared import compared
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.linalg.subspaces import similarity
from hodograph.processes import one_thread
from plain_counts import counts_off

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from planted.digits import (
    METHODS,
    K,
    exact_angles,
    exact_shift,
    forty_digits,
    largest_angle,
    moved,
    turned,
    value_errors,
    with_gap,
)

ANGLE_K, TOP, HILL_K = 512, 16, 11
GAPS = (1.0, 1e-2, 1e-5, 1e-8)
DIGITS = 1e-4  # that Hill's estimate must be defined to
NAN, WITHIN = math.nan, 1.0
GOALS = {
    "NSS, relative": 1e-6,
    "NSS, over certificate": WITHIN,
    "angles, degrees, where certified": 1e-8,
    "angles, over certificate": WITHIN,
    "stable rank, relative": 1e-9,
    "Hill, k = 11, relative, where defined": 1e-9,
    "Hill, k = 11, over bound": WITHIN,
    "Sim_16, where certified": 1e-6,
    "Sim_16, over certificate": WITHIN,
    "counts, entries": 0.0,
}


@dataclass(frozen=True)
class Numbers:
    """What is compared of one case, by one way, and how it was had."""

    columns: dict[str, Any]
    base: Factors
    method: str


def numbers(base: Tensor, tuned: Tensor, other: Tensor, *, exact: bool) -> Numbers:
    """Every spectral number of the first update, and its similarity to the second."""
    rows, cols = base.shape
    k = principal_size(rows, cols, ANGLE_K)
    first = factor(base, max(k, 1), exact=exact)
    first, second = compared(first, base, tuned, max(k, 1), exact=exact)
    columns = rotation(first, second, k, exact=exact)
    columns["certificate_spectrum"] = shift_error(first, second)
    columns |= spectral_shift(first.sigma_R, second.sigma_R, 1.0, max(rows, cols))
    changes = [factor((end - base).double(), TOP, exact=exact) for end in (tuned, other)]
    tops = [TopVectors(change, change.numerical_rank) for change in changes]
    if tops[0].rank > 0:
        columns |= update_spectrum(changes[0].sigma_R, tops[0].rank)
        columns |= hill_bound(changes[0], columns["hill_11"])
    columns |= similar(*tops)
    methods = {factors.method for factors in (first, second, *changes)}
    return Numbers(columns, first, "+".join(sorted(methods)))


def hill_bound(change: Factors, estimate: float | None) -> dict[str, float]:
    """What the errors of k singular values do to Hill's estimate, relatively, to first order."""
    if estimate is None:
        return {}
    loose_K = change.sigma_error_R[:HILL_K] / change.sigma_R[:HILL_K]
    return {"hill_bound": estimate * float(loose_K[:-1].mean() + loose_K[-1])}


def similar(one: TopVectors, two: TopVectors) -> dict[str, Any]:
    """Sim_16 of both sides, and a bound on what the errors of both subspaces do to it.

    A subspace that is off by an angle changes the similarity to any other by at most its sine.
    """
    size = shared_size(one, two, TOP)
    if size < 1:
        return {}
    a, b = one.factors.leading(size), two.factors.leading(size)
    errors = [subspace_error(factors, size) for factors in (a, b)]
    return {
        "similarity_left": similarity(a.u_MK, b.u_MK),
        "similarity_right": similarity(a.v_NK, b.v_NK),
        "similarity_certified": max(errors),
        "similarity_bound": sum(math.sin(math.radians(error)) for error in errors),
    }


def differences(fast: dict[str, Any], exact: dict[str, Any]) -> dict[str, float]:
    """Each quantity of GOALS but the counts; NaN where it is not defined for this case."""
    found = {
        "NSS, relative": relative(fast.get("nss"), exact.get("nss")),
        "stable rank, relative": relative(fast.get("stable_rank"), exact.get("stable_rank")),
    }
    hills = [one.get("hill_11") for one in (fast, exact)]
    bounds = [one.get("hill_bound", 0.0) for one in (fast, exact)]
    if max(bounds) <= DIGITS:
        found["Hill, k = 11, relative, where defined"] = relative(*hills)
    if 0 < sum(bounds) < 1:
        found["Hill, k = 11, over bound"] = relative(*hills) / sum(bounds)
    if exact.get("nss"):
        allowed = sum(one["certificate_spectrum"] * one["nss"] for one in (fast, exact))
        found["NSS, over certificate"] = abs(fast["nss"] - exact["nss"]) / allowed
    angles = [f"angle_{side}_{what}" for side in ("left", "right") for what in ("mean", "max")]
    found |= within("angles", fast, exact, angles, "certificate_angles", "certificate_angles")
    sides = ["similarity_left", "similarity_right"]
    return found | within("Sim_16", fast, exact, sides, "similarity_certified", "similarity_bound")


def within(
    name: str,
    fast: dict[str, Any],
    exact: dict[str, Any],
    columns: list[str],
    certified: str,
    bound: str,
) -> dict[str, float]:
    """The largest difference of some columns where they are certified, and over the bounds."""
    if columns[0] not in exact:
        return {}
    off = max(abs(fast[column] - exact[column]) for column in columns)
    unit = ", degrees" if name == "angles" else ""
    found = {f"{name}, over certificate": off / (fast[bound] + exact[bound])}
    if max(fast[certified], exact[certified]) <= ANGLE_TARGET:
        found[f"{name}{unit}, where certified"] = off
    return found


def relative(one: float | None, reference: float | None) -> float:
    """Relative difference; NaN where neither is defined, infinite where only one is."""
    if one == reference:
        return NAN if one is None else 0.0
    return abs(one - reference) / abs(reference) if one is not None and reference else math.inf


def judged(case: Case) -> tuple[dict[str, float], str]:
    """Differences of one case by the names of GOALS, and the methods that the fast way took."""
    base, tuned, other = case.load()
    with one_thread():
        fast, exact = (numbers(base, tuned, other, exact=exact) for exact in (False, True))
        found = differences(fast.columns, exact.columns)
        found["counts, entries"] = counts_off(base.float(), tuned.float(), fast.base)
    return found, fast.method


def true_errors(method: str, gap: float) -> dict[str, float]:
    """The largest true error over its certificate, of what one method finds at one gap."""
    subspaces, values = [], []
    for seed in (0, 1):
        matrix = with_gap(gap, seed)
        factors = METHODS[method](matrix, K)
        exact = largest_angle(forty_digits(matrix, K)[1], factors.v_NK)
        subspaces.append(exact / subspace_error(factors, K))
        errors = value_errors(factors.sigma_R, matrix)
        values += [e / b for e, b in zip(errors, factors.sigma_error_R.tolist(), strict=True)]
    angles = []
    for kind in ("dense", "rank one"):
        columns = turned(method, gap, kind)
        for side, exact in exact_angles(gap, kind).items():
            for what, value in (("mean", np.mean(exact)), ("max", exact[-1])):
                off = abs(columns[f"angle_{side}_{what}"] - value)
                angles.append(off / columns["certificate_angles"])
    base, tuned = moved(gap, "dense")
    before, after = METHODS[method](base, 1), METHODS[method](tuned, 1)
    computed = float((after.sigma_R - before.sigma_R).norm())
    shift = abs(computed - exact_shift(base, tuned)) / (shift_error(before, after) * computed)
    return {
        "subspaces": max(subspaces),
        "angles": float(max(angles)),
        "singular values": max(values),
        "shift": shift,
    }


def goals_table(sets: dict[str, list[tuple[Case, dict[str, float]]]]) -> str:
    """The largest difference of each quantity in each set, with the case where a goal is missed."""
    rows = []
    for quantity, goal in GOALS.items():
        cells, met = [], True
        for judgements in sets.values():
            known = [(found[quantity], case.name) for case, found in judgements
                     if not math.isnan(found.get(quantity, NAN))]  # fmt: skip
            largest, name = max(known, default=(NAN, ""))
            missed = largest > goal
            met = met and not missed
            shown = f"{largest:.0e}" if largest else "0"
            cells.append("" if not known else f"{shown} ({name})" if missed else shown)
        rows.append([quantity, f"{goal:g}", *cells, verdict(met)])
    headings = ["largest difference to the reference", "goal", *sets, "goal met"]
    return table(headings, rows)


def how(found: list[dict[str, float]], name: str, methods: list[str]) -> str:
    """How many cases were factored by which methods, and how many subspaces are certified."""
    ways = ", ".join(f"{methods.count(one)} by {one}" for one in sorted(set(methods)))
    counted = []
    for quantity in ("angles, degrees", "Sim_16"):
        certified = sum(f"{quantity}, where certified" in off for off in found)
        known = sum(f"{quantity.split(',')[0]}, over certificate" in off for off in found)
        counted.append(f"{quantity.split(',')[0]} of {certified} of {known}")
    return f"- {name}: {ways}; certified to {ANGLE_TARGET:g} degrees: {', '.join(counted)}"


def digits_table(found: list[tuple[str, float, dict[str, float]]]) -> str:
    """True errors over certificates: at most 1."""
    headings = ["true error over certificate", "gap", *found[0][2], "all at most 1"]
    return table(headings, [
        [method, f"{gap:.0e}", *(f"{ratio:.1g}" for ratio in ratios.values()),
         verdict(max(ratios.values()) <= 1)]
        for method, gap, ratios in found
    ])  # fmt: skip


def verdict(met: bool) -> str:
    """Whether a goal is met, in a cell."""
    return "met" if met else "not met"


def main(*checkpoints: Path, every: int = 10, small: bool = False) -> None:
    """Print both tables as Markdown."""
    shapes = [(48, 128)] if small else [(576, 1536), (1024, 4096)]
    sets = {"planted": planted_cases(shapes)}
    if checkpoints:
        sets["stored"] = stored_cases(*checkpoints, every)
    sets["adversarial"] = list(adversarial_cases())
    digits = [(method, gap) for gap in (GAPS[::3] if small else GAPS) for method in METHODS]
    work: list[tuple[str, float, Callable[[], Any]]] = [
        (case.name, case.cost, partial(judged, case)) for cases in sets.values() for case in cases
    ]
    work += [(f"40 digits: {m}, {gap:g}", cost(400, 400), partial(true_errors, m, gap))
             for m, gap in digits]  # fmt: skip
    found = iter(under_a_bar(work))
    judged_sets = {
        f"{name}, {len(cases)}": [(case, *next(found)) for case in cases]
        for name, cases in sets.items()
    }
    print(machine(), "\n")
    print(goals_table({
        name: [(case, off) for case, off, _ in of_set] for name, of_set in judged_sets.items()
    }), "\n")  # fmt: skip
    for name, of_set in judged_sets.items():
        print(how([off for _, off, _ in of_set], name, [method for _, _, method in of_set]))
    print()
    print(digits_table([(*one, next(found)) for one in digits]))


if __name__ == "__main__":
    run(main)
