"""Means near the rounding noise are marked in the terminal as they are on the page."""

from pathlib import Path

from rich.console import Console

from hodograph.cli.printed import print_measurement
from hodograph.measurement import Measurement
from hodograph.report import render
from hodograph.tables.store import read_measurement
from planted.measurement import measurement_rows, write_measurement


def printed(folder):
    matrices, summary = read_measurement(folder)
    told = {"settings": {"only": "everything"}, "inputs": None, "renamed": []}
    console = Console(width=100, record=True)
    print_measurement(console, Measurement(matrices, summary | told), Path("report.html"))
    return console.export_text()


def test_a_spectrum_near_the_rounding_noise_says_in_how_many_matrices(tmp_path):
    folder = write_measurement(tmp_path, measurement_rows())  # bfloat16: caution in layer 0 of 3
    ranks = [line for line in printed(folder).splitlines() if line.startswith("stable rank")]
    assert [line.split()[2:4] for line in ranks] == [["7.00", "(caution"], ["4.00", "3.00"]]
    assert "7.00 (caution 7/21)" in ranks[0]


def test_rows_whose_certificate_exceeds_its_target_are_counted(tmp_path):
    rows = measurement_rows(steps=(20,), storages=("float32",))
    rows[0] |= {"flags": ["uncertified"], "method": "gram+svd"}
    folder = write_measurement(tmp_path, rows)
    line = "Factored by exact in 20, gram+svd in 1 of 21 rows; uncertified 1: a certificate"
    assert line in printed(folder)
    render(folder)
    assert line in (folder / "report.html").read_text()
