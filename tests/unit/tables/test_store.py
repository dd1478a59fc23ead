import json

import pytest

from hodograph.errors import StorageError
from hodograph.tables.store import MeasurementFolder, read_measurement, table_of

ROWS = [{"parameter": "a", "stable_rank": 1.5, "flags": ["sub_ulp"]}]


def test_parts_are_kept_until_the_end(tmp_path):
    folder = MeasurementFolder(tmp_path, "f" * 64)
    assert folder.load("a") is None
    folder.store("a", ROWS)
    assert folder.load("a")[0]["stable_rank"] == 1.5
    assert MeasurementFolder(tmp_path, "0" * 64).load("a") is None  # another measurement's
    folder.finish(table_of(ROWS), {"fingerprint": "f" * 64})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matrices.parquet", "summary.json"]


def test_finished_is_told_by_the_fingerprint(tmp_path):
    folder = MeasurementFolder(tmp_path, "f" * 64)
    assert folder.finished() is None
    folder.finish(table_of(ROWS), {"fingerprint": "f" * 64})
    assert folder.finished()[1] == {"fingerprint": "f" * 64}
    assert MeasurementFolder(tmp_path, "0" * 64).finished() is None


def test_an_unfinished_or_damaged_measurement_is_one_clear_error(tmp_path):
    with pytest.raises(StorageError, match="no finished measurement"):
        read_measurement(tmp_path)
    MeasurementFolder(tmp_path, "f").finish(table_of(ROWS), {"fingerprint": "f"})
    matrices, summary = read_measurement(tmp_path)
    assert (len(matrices), summary) == (1, {"fingerprint": "f"})
    (tmp_path / "matrices.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(StorageError, match="cannot be read"):
        read_measurement(tmp_path)


def test_a_damaged_summary_is_measured_anew(tmp_path):
    folder = MeasurementFolder(tmp_path, "f")
    folder.finish(table_of(ROWS), {"fingerprint": "f"})
    (tmp_path / "summary.json").write_text(json.dumps({})[:1])
    assert folder.finished() is None
