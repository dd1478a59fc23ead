"""Why a value is missing, in words, from what the table and the summary say."""

import pandas as pd

from hodograph.tables.columns import BY_NAME


def _told(rows: pd.DataFrame, column: str, otherwise: str) -> str:
    """The commonest reason that the table gives."""
    reasons = rows[column].dropna()
    return str(reasons.mode().iloc[0]) if len(reasons) else otherwise


def _inputs_reason(rows: pd.DataFrame) -> str:
    reasons = rows["inputs_reason"].dropna()
    if len(reasons):
        return str(reasons.mode().iloc[0])
    known = rows["input_energy16"].notna().any()
    return "compares with later checkpoints" if known else "inputs were not examined (--inputs)"


def why_missing(metric: str, rows: pd.DataFrame) -> str:
    """Return the reason a metric has no value in these matrices.

    Args:
        metric: The column without a value.
        rows: The matrices of the checkpoint, with flags and the reasons of empty nulls.
    """
    if (
        len(rows)
        and rows["flags"].map(lambda flags: flags is not None and "no_update" in flags).all()
    ):
        return "no update: every matrix equals its base"
    if BY_NAME[metric].family == "inputs":
        return _inputs_reason(rows)
    if metric.startswith("angle_") and metric.endswith("_null"):
        return _told(rows, "angle_null_reason", "no null of the angles was computed")
    if metric.endswith(("_null", "_null_sd")) and metric != "nss_null":
        return _told(rows, "null_reason", "no permutation null was computed")
    if metric.endswith("_odds_ratio"):
        return "everything or nothing changed in each stratum"
    if metric == "weight_decay_norm":
        return "no weight decay was recorded with the checkpoints"
    if metric == "kappa_random_walk":
        return "the number of optimizer steps is not known"
    if metric in ("learning_rate_sum", "kappa"):
        return "no learning rates were recorded with the checkpoints"
    if metric.startswith("hill_"):
        return "the matrices have fewer singular values than the order k"
    if BY_NAME[metric].family == "lock" or metric.startswith(("sim16_disjoint", "sim16_adjacent")):
        return "compares with later checkpoints, and there are too few"
    if BY_NAME[metric].family == "path":
        return "needs more than one checkpoint"
    return "no matrix has a value"
