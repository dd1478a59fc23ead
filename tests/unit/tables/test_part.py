import pyarrow as pa
import pytest

from hodograph.errors import StorageError
from hodograph.tables.part import packed, unpacked
from hodograph.tables.store import MeasurementFolder, table_of

ROWS = [
    {"parameter": "a", "stable_rank": 0.1 + 0.2, "step": 2**53 + 1, "flags": ["sub_ulp"]},
    {"parameter": "a", "stable_rank": None, "exponents": [1, 2, 3]},
]


def test_rows_come_back_as_they_were():
    back = unpacked(packed(table_of(ROWS)))
    assert back == table_of(ROWS).to_pylist()
    given = [{name: row[name] for name in kept} for row, kept in zip(back, ROWS, strict=True)]
    assert given == ROWS


def test_a_cut_part_is_an_error_wherever_it_is_cut():
    content = packed(table_of(ROWS))
    for end in range(0, len(content), 997):
        with pytest.raises((OSError, pa.ArrowException)):
            unpacked(content[:end])


@pytest.mark.parametrize("left", [b"", b"PAR1 not really", b"ARROW1\0\0" + bytes(64) + b"ARROW1"])
def test_a_damaged_part_is_named(tmp_path, left):
    folder = MeasurementFolder(tmp_path, "f" * 64)
    folder.store("a", ROWS)
    (part,) = tmp_path.glob("parts-*/*")
    part.write_bytes(left)
    with pytest.raises(StorageError, match=part.name):
        folder.load("a")


def test_a_part_of_another_format_is_measured_anew(tmp_path):
    folder = MeasurementFolder(tmp_path, "f" * 64)
    folder.store("a", ROWS)
    (part,) = tmp_path.glob("parts-*/*")
    part.rename(part.with_suffix(".parquet"))
    assert folder.load("a") is None
    assert folder.missing(["a"]) == ["a"]
    folder.finish(table_of(ROWS), {"fingerprint": "f" * 64})
    assert not list(tmp_path.glob("parts-*"))
