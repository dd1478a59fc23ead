from pathlib import Path

import pytest

from hodograph import compare, measure
from hodograph.cli.compare import LINES as PAIR_LINES
from hodograph.cli.printed import LINES
from hodograph.engine.settings import Settings
from hodograph.studies.study import MeasureSection
from hodograph.tables.columns import BY_NAME, COLUMNS, METRICS, schema
from hodograph.tables.declared import markdown
from hodograph.tables.gates import GATE_BY_NAME, GATE_COLUMNS
from hodograph.tables.pairs import PAIR_BY_NAME, PAIR_COLUMNS, PAIR_METRICS, SHARED
from hodograph.tables.summary import WEIGHTED

ROOT = Path(__file__).parents[2]
TABLES = [(COLUMNS, BY_NAME), (PAIR_COLUMNS, PAIR_BY_NAME), (GATE_COLUMNS, GATE_BY_NAME)]


def test_the_page_of_columns_is_the_declaration():
    page = (ROOT / "docs" / "columns.md").read_text()
    assert page == markdown(), "run: hodograph columns --markdown > docs/columns.md"
    page = (ROOT / "docs" / "pairs.md").read_text()
    hint = "run: hodograph columns --table pairs --markdown > docs/pairs.md"
    assert page == markdown("pairs"), hint
    page = (ROOT / "docs" / "gates.md").read_text()
    hint = "run: hodograph columns --table gates --markdown > docs/gates.md"
    assert page == markdown("gates"), hint


@pytest.mark.parametrize(("columns", "by_name"), TABLES)
def test_every_column_is_declared_once_and_described(columns, by_name):
    assert len(by_name) == len(columns)
    for column in columns:
        assert column.formula, column.name
        assert column.source, column.name
        assert schema(columns).field(column.name).metadata[b"formula"]


def test_a_measurement_fills_exactly_the_declared_columns(tmp_path, write_checkpoint, layered):
    base, way = layered(0), layered(1)
    tensors = [{n: base[n] + 2e-3 * i * way[n] for n in base} for i in range(6)]  # a lock
    first, *others = (write_checkpoint(tmp_path / f"step_{i}", t) for i, t in enumerate(tensors))
    (others[-1] / "hodograph_step.json").write_text('{"step": 5, "weight_decay_sum": 1e-4}')
    measurement = measure(first, others, also_bf16=True, learning_rate=1e-3)
    assert list(measurement.matrices.columns) == [column.name for column in COLUMNS]
    small = {name for name in BY_NAME if name.startswith("hill_32")}  # needs 32 singular values
    empty = {name for name in BY_NAME if measurement.matrices[name].isna().all()}
    assert empty == {"expert", "null_reason", "angle_null_reason"} | small | {
        n for n, column in BY_NAME.items() if n.startswith("hill_5pct") or column.family == "inputs"
    }
    assert set(measurement.summary["checkpoints"][0]["metrics"]) == set(METRICS)


def test_a_comparison_fills_exactly_the_declared_columns(tmp_path, write_checkpoint, layered):
    base, a, b = (write_checkpoint(tmp_path / f"step_{i}", layered(i)) for i in range(3))
    comparison = compare(base, a, b)
    assert list(comparison.pairs.columns) == [column.name for column in PAIR_COLUMNS]
    assert {n for n in PAIR_BY_NAME if comparison.pairs[n].isna().all()} == {"expert"}
    assert set(comparison.summary["metrics"]) == set(PAIR_METRICS)


def test_lists_of_columns_name_columns():
    assert set(WEIGHTED) <= set(METRICS)
    assert {line.metric for line in LINES} <= set(METRICS)
    assert {line.null for line in LINES if line.null} <= set(METRICS)
    assert {line.metric for line in PAIR_LINES} <= set(PAIR_METRICS)
    assert {line.null for line in PAIR_LINES if line.null} <= set(PAIR_METRICS)
    assert set(SHARED) <= set(METRICS)


def test_a_study_measures_with_the_settings_there_are():
    section, settings = MeasureSection(), MeasureSection().settings()
    assert set(section.model_dump()) - {"inputs"} <= set(settings.printed())
    assert set(section.lock.model_dump()) == set(settings.printed()["lock"])
    assert settings == Settings(also_bf16=True)
