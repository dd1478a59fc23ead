"""Means near the rounding noise are marked in the terminal as they are on the page."""

from pathlib import Path

from rich.console import Console

from hodograph.cli.printed import print_measurement
from hodograph.measurement import Measurement
from hodograph.tables.store import read_measurement
from planted.measurement import measurement_rows, write_measurement


def test_a_spectrum_near_the_rounding_noise_says_in_how_many_matrices(tmp_path):
    folder = write_measurement(tmp_path, measurement_rows())  # bfloat16: caution in layer 0 of 3
    settings = {"only": "everything"}
    matrices, summary = read_measurement(folder)
    console = Console(width=100, record=True)
    measured = Measurement(
        matrices, summary | {"settings": settings, "inputs": None, "renamed": []}
    )
    print_measurement(console, measured, Path("report.html"))
    ranks = [line for line in console.export_text().splitlines() if line.startswith("stable rank")]
    assert [line.split()[2:4] for line in ranks] == [["7.00", "(caution"], ["4.00", "3.00"]]
    assert "7.00 (caution 7/21)" in ranks[0]
