"""G10 for a whole run: from each matrix's t* to one verdict, with an interval over layers.

L layers, B bootstrap draws.
"""

from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import pandas as pd

from hodograph.statistics.bootstrap import layer_intervals
from hodograph.tables.thresholds import LockThresholds

DRAWS = 1000
Standing = Literal["locked", "not locked", "undetermined"]
Verdict = Literal["locked", "locked, explained by inputs", "not locked", "undetermined"]
BESIDE = {"early": "capture16", "random": "capture16_by_inputs", "null": "capture16_input_null"}


def lock_of(matrices: pd.DataFrame, thresholds: LockThresholds, seed: int) -> dict[str, Any]:
    """The verdict of each storage: locked, not locked or undetermined, and why.

    A matrix is locked if it has a t* with enough counted checkpoints after it, undetermined if too
    few checkpoints count for that, else not locked. `share` is that of the locked among the
    decided. `low` and `high` bound the share of all matrices, by a 95 % bootstrap over layers:
    undetermined matrices are not locked for `low` and locked for `high`. With one layer there is
    no interval, and the two counts themselves decide.

    Where the layers' inputs are known, `inputs` says in how many of the locked matrices they
    explain the lock, with an interval over layers; a locked run whose interval lies at or above
    the share of the verdict is "locked, explained by inputs".
    """
    checkpoints = matrices["step"].nunique()
    return {
        str(storage): _entry(_standings(rows, thresholds), checkpoints, thresholds, seed)
        for storage, rows in matrices.groupby("storage", sort=True)
    }


def _standings(rows: pd.DataFrame, thresholds: LockThresholds) -> pd.DataFrame:
    """Layer, standing, t* and the stable rank's band of every matrix that was updated."""
    found = []
    needed = ["parameter", "module", "step", "layer", "stable_rank", "lock_counts", "lock_step"]
    rows = rows[[*needed, *BESIDE.values()]]  # a group of few columns is cut out ten times faster
    if rows["stable_rank"].isna().all():
        rows = rows[:0]
    for _, path in rows.sort_values("step").groupby(["parameter", "module"], dropna=False):
        if pd.isna(path["stable_rank"].iloc[-1]):
            continue
        layer = path["layer"].iloc[0]
        counted = int((path["lock_counts"].fillna(0) > 0).sum())
        starts = path["lock_step"].dropna()
        start = int(starts.iloc[0]) if len(starts) else None
        standing = _standing(counted, start, thresholds)
        after = path[path["step"] >= start] if start is not None else path[:0]
        found.append(
            {
                "layer": -1 if pd.isna(layer) else int(layer),
                "standing": standing,
                "step": start,
                "band": _band(after["stable_rank"]) if len(after) else None,
            }
            | _captures(after)
        )
    return pd.DataFrame(found, columns=["layer", "standing", "step", "band", *BESIDE])


def _captures(after: pd.DataFrame) -> dict[str, float]:
    """Mean captures from t* on, of the early update and of random ones with the same inputs."""
    counted = after[after["lock_counts"].fillna(0) > 0]
    return {name: counted[column].mean() for name, column in BESIDE.items()}


def _standing(counted: int, start: int | None, thresholds: LockThresholds) -> Standing:
    if start is not None:
        return "locked"
    return "not locked" if counted > thresholds.after else "undetermined"


def _band(ranks: pd.Series) -> float:
    return float(ranks.max() / ranks.min())


def _entry(
    standings: pd.DataFrame, checkpoints: int, thresholds: LockThresholds, seed: int
) -> dict[str, Any]:
    counts = {kind: int((standings["standing"] == kind).sum()) for kind in
              ("locked", "not locked", "undetermined")}  # fmt: skip
    decided = counts["locked"] + counts["not locked"]
    low, high = _interval(standings, np.random.default_rng(seed))
    verdict, reason = _verdict(counts, low, high, checkpoints, thresholds)
    locked = standings[standings["standing"] == "locked"]
    inputs = _explained(locked, thresholds, seed)
    if verdict == "locked":
        verdict, reason = _with_inputs(reason, inputs, thresholds)
    return {
        "verdict": verdict,
        "reason": reason,
        "share": counts["locked"] / decided if decided else None,
        "low": low,
        "high": high,
        "matrices": counts,
        "step": float(locked["step"].median()) if len(locked) else None,
        "stable_rank_band": float(locked["band"].median()) if len(locked) else None,
        "inputs": inputs,
        "thresholds": asdict(thresholds),
    }


def _explained(
    locked: pd.DataFrame, thresholds: LockThresholds, seed: int
) -> dict[str, Any] | None:
    """How far the inputs explain the locks; None where no matrix's inputs are known.

    A matrix whose inputs are not known counts as not explained.
    """
    known = locked.dropna(subset=list(BESIDE))
    if known.empty:
        return None
    reached = locked[["random", "null"]].min(axis=1, skipna=False)
    explained = (reached >= thresholds.inputs * locked["early"]).astype(float).to_frame("share")
    bounds = layer_intervals(
        explained, explained * 0 + 1, locked["layer"], np.random.default_rng(seed)
    ).get("share", {"low": None, "high": None})
    means = {name: float(known[name].mean()) for name in BESIDE}
    return {
        "explained": int(explained["share"].sum()), "known": len(known), "locked": len(locked),
        "share": float(explained["share"].mean()), **bounds, **means,
    }  # fmt: skip


def _with_inputs(
    reason: str, inputs: dict[str, Any] | None, thresholds: LockThresholds
) -> tuple[Verdict, str]:
    if inputs is None:
        return "locked", f"{reason}; whether their inputs explain it was not examined"
    reason += (
        f"; a random update with the same inputs explains {inputs['explained']} of them"
        f"; it captures {inputs['random']:.2f} of the rest, and {inputs['null']:.2f} of another"
        f" such update; the early update captures {inputs['early']:.2f}"
    )
    least = inputs["share"] if inputs["low"] is None else inputs["low"]
    if least >= thresholds.share:
        return "locked, explained by inputs", reason
    if inputs["share"] >= thresholds.share:
        reason += f"; the interval over layers reaches below {thresholds.share:g}"
    return "locked", reason


def _interval(
    standings: pd.DataFrame, generator: np.random.Generator
) -> tuple[float | None, float | None]:
    """Low: undetermined matrices taken as not locked; high: as locked."""
    kinds = standings["standing"]
    sides = pd.DataFrame({"low": kinds == "locked", "high": kinds != "not locked"})
    layers = sides.groupby(standings["layer"]).agg(["sum", "count"])
    if len(layers) < 2:
        return None, None
    draws = generator.integers(len(layers), size=(DRAWS, len(layers)))
    shares = {
        side: layers[side]["sum"].to_numpy()[draws].sum(axis=1)
        / layers[side]["count"].to_numpy()[draws].sum(axis=1)
        for side in ("low", "high")
    }
    return float(np.quantile(shares["low"], 0.025)), float(np.quantile(shares["high"], 0.975))


def _verdict(
    counts: dict[str, int],
    low: float | None,
    high: float | None,
    checkpoints: int,
    thresholds: LockThresholds,
) -> tuple[Verdict, str]:
    matrices = sum(counts.values())
    if not matrices:
        return "undetermined", "no matrix has a spectrum of its update"
    if checkpoints < thresholds.checkpoints:
        needed = f"at least {thresholds.checkpoints} are needed"
        return "undetermined", f"{checkpoints} checkpoint(s) after the base; {needed}"
    least, most = counts["locked"] / matrices, 1 - counts["not locked"] / matrices
    reason = f"{counts['locked']} of {matrices} matrices are locked"
    if counts["undetermined"]:
        reason += f", {counts['undetermined']} are undetermined: too few checkpoints count"
    if (least if low is None else low) >= thresholds.share:
        return "locked", reason
    if (most if high is None else high) < thresholds.share:
        return "not locked", reason
    if least < thresholds.share <= most:
        return "undetermined", reason
    return "undetermined", f"{reason}; the interval over layers spans {thresholds.share:g}"
