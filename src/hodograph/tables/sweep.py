"""Columns of `sweep.parquet`: what a metric becomes under other choices of its constants."""

import pyarrow as pa

from hodograph.tables.columns import OURS, Column
from hodograph.tables.store import Kind


def _column(name: str, kind: pa.DataType, formula: str, unit: str = "") -> Column:
    return Column(name, kind, unit, formula, OURS, "identity")


SWEEP_COLUMNS = (
    _column("run", pa.string(), "name of the run"),
    _column("parameter", pa.string(), "name of the stored tensor in the base"),
    _column("layer", pa.int64(), "index of the transformer layer; empty outside the layers"),
    _column("module", pa.string(), "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, ..."),
    _column("expert", pa.int64(), "index of the expert; empty in dense layers"),
    _column("rows", pa.int64(), "output dimension m of the matrix"),
    _column("cols", pa.int64(), "input dimension n of the matrix"),
    _column("choice", pa.string(), "alpha, r, k, K or hill_k: the constant that is varied"),
    _column("setting", pa.float64(), "the value asked for; alpha as a share"),
    _column("used", pa.float64(), "the value used, lowered to what the matrix has"),
    _column("metric", pa.string(), "what depends on it"),
    _column("value", pa.float64(), "at the last checkpoint; sim_end of the first with the last"),
    _column("null", pa.float64(), "its null under the same setting; empty where there is none"),
    _column("nonfinite", pa.int64(), "NaN or infinite in W0 or W1", "entries"),
)
SWEEP = Kind("sweep", "sweep", "sweep.parquet", "sweep.json", SWEEP_COLUMNS)
