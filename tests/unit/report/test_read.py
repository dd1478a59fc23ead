import json

import pyarrow.parquet as pq
import pytest

from hodograph.errors import StorageError
from hodograph.report import render, render_measurement, render_study
from planted.measurement import measurement_rows, write_measurement, write_study


@pytest.fixture
def folder(tmp_path):
    return write_measurement(tmp_path / "run", measurement_rows(layers=1, steps=(5,)))


def refused(folder, *words):
    with pytest.raises(StorageError) as caught:
        render(folder)
    message = str(caught.value)
    assert all(word in message for word in (str(folder), *words)), message
    assert len(message.splitlines()) <= 3
    assert not (folder / "report.html").exists()


def test_an_empty_folder_is_refused(tmp_path):
    refused(tmp_path, "nothing to report", "--out")


def test_a_missing_summary_is_an_unfinished_measurement(folder):
    (folder / "summary.json").unlink()
    refused(folder, "summary.json", "goes on where it stopped")


def test_a_missing_table_is_named(folder):
    (folder / "matrices.parquet").unlink()
    refused(folder, "matrices.parquet")


def test_a_corrupt_table_is_named(folder):
    path = folder / "matrices.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    refused(folder, "matrices.parquet", "not a readable Parquet file")


def test_missing_columns_are_listed(folder):
    path = folder / "matrices.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["stable_rank", "nss"]), path)
    refused(folder, "lacks 2", "stable_rank", "nss")


def test_an_empty_table_is_refused(folder):
    path = folder / "matrices.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    refused(folder, "no rows")


def test_a_summary_cut_short_is_refused(folder):
    path = folder / "summary.json"
    path.write_text(path.read_text()[:200])
    refused(folder, "summary.json", "not valid JSON")


def test_a_summary_without_a_field_names_it(folder):
    path = folder / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base": {"path": "x"}}))
    refused(folder, "base.digest")


def test_a_summary_of_other_checkpoints_is_refused(folder):
    path = folder / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"checkpoints": []}))
    refused(folder, "step 5", "not from one measurement")


def test_a_study_whose_measurement_is_gone_names_it(tmp_path):
    write_study(tmp_path, arms=("opd",))
    (tmp_path / "seed_0/opd/measurement/matrices.parquet").unlink()
    refused(tmp_path, "seed_0/opd/measurement/matrices.parquet")


def test_a_study_with_an_unknown_role_is_refused(tmp_path):
    write_study(tmp_path, arms=("opd",))
    content = json.loads((tmp_path / "study.json").read_text())
    content["runs"][0]["role"] = "spectator"
    (tmp_path / "study.json").write_text(json.dumps(content))
    refused(tmp_path, "runs.0.role")


def test_a_failing_report_leaves_the_earlier_one(folder):
    page = render_measurement(folder)
    before = page.read_bytes()
    (folder / "summary.json").write_text("{")
    with pytest.raises(StorageError):
        render_measurement(folder)
    assert page.read_bytes() == before
    assert not list(folder.glob(".*.part"))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    folder = write_study(tmp_path, arms=("opd",))
    (folder / "report.html").mkdir()
    with pytest.raises(StorageError, match=r"report\.html"):
        render_study(folder)
