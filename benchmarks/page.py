"""How long a large study's page and its explorer take to write and to open in a browser.

    python benchmarks/page.py FOLDER [OPENINGS]

Plants a study of 36 layers x 7 modules x 20 checkpoints x 12 arms in FOLDER, writes its report,
and opens both pages in headless chromium, which must be installed. The arms hold the same numbers:
what is timed depends on how many there are, not on what they are.
"""

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from harness import cpu_of_all, machine, table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from hodograph.report import render_study
from planted.browser import Browser, browser
from planted.measurement import measurement_rows, run_record, write_measurement

LAYERS, STEPS = 36, tuple(range(10, 210, 10))
ARMS = [f"arm_{place}" for place in range(12)]
READY = {
    "report.html": "performance.timing.loadEventEnd > 0",
    "explorer.html": "document.body.dataset.state === 'drawn'",
}
SINCE_NAVIGATION = {
    "report.html": "performance.getEntriesByType('navigation')[0].loadEventEnd",
    "explorer.html": "performance.getEntriesByName('drawn')[0].startTime",
}
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def plant(folder: Path) -> None:
    """Write the study's tables, unless they are there."""
    if (folder / "study.json").exists():
        return
    rows = measurement_rows(LAYERS, STEPS, storages=("float32",))
    runs = [run_record(name, w0_digest="0a51b2c3") for name in ARMS]
    first, *others = (folder / run["measurement"] for run in runs)
    write_measurement(first, rows, digest="0a51b2c3")
    for other in others:
        shutil.copytree(first, other)
    study = {"name": "large", "description": "", "seeds": [0], "settings": {}, "versions": {},
             "notes": [], "runs": runs, "command": "hodograph study large.toml --out large",
             "redraw": "hodograph report large"}  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study))


def opened(tab: Browser, page: Path) -> tuple[float, float]:
    """Milliseconds from navigation to the first paint, and until all is there."""
    tab.open(page, 1200)
    tab.until(READY[page.name])
    tab.until(f"{PAINT} !== null")
    return tab.evaluate(PAINT), tab.evaluate(SINCE_NAVIGATION[page.name])


def main() -> None:
    """Print a table of both pages."""
    folder = Path(sys.argv[1])
    openings = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    plant(folder)
    start = cpu_of_all()
    render_study(folder)
    written = cpu_of_all() - start
    rows = []
    temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with temporary as profile, browser(Path(profile)) as tab:
        for name in READY:
            times = [opened(tab, folder / name) for _ in range(openings)]
            paint, ready = (statistics.median(part) for part in zip(*times, strict=True))
            size = (folder / name).stat().st_size / 1e6
            rows.append([name, f"{size:.2f}", f"{paint / 1000:.2f}", f"{ready / 1000:.2f}"])
    print(machine())
    print(f"written in {written:.0f} s of CPU time; medians of {openings} openings")
    print(table(["page", "size, MB", "first paint, s", "complete, s"], rows))


if __name__ == "__main__":
    main()
