"""docs/figures/study.py writes the documentation's page from a study's tables alone."""

import json
import runpy
import sys
from pathlib import Path

from hodograph.claims.row import LEDGER_FILE
from planted.gates import write_account
from planted.measurement import comparison, ledger_row, question, write_study

SCRIPT = Path(__file__).parents[3] / "docs" / "figures" / "study.py"


def test_the_page_has_the_ledger_the_sentences_and_every_figure(tmp_path, monkeypatch):
    shown = comparison("two", "opd", "sft", shows=("size",))
    again = comparison("again", "sft", shows=("path",))
    asked = question("q", shown, again, values=["accuracy"])
    folder = write_study(tmp_path / "study", (0, 1), ("opd", "sft"), questions=[asked])
    claim = ledger_row("C1", "holds, explained by storage", claim="a | b")
    (folder / LEDGER_FILE).write_text(json.dumps([claim]))
    study = json.loads((folder / "study.json").read_text())
    (opd,) = [run for run in study["runs"] if (run["name"], run["seed"]) == ("opd", 1)]
    opd["gates"] = opd["folder"] + "/gates"
    (folder / "study.json").write_text(json.dumps(study))
    write_account(folder / opd["gates"])
    stale = tmp_path / "docs" / "figures" / "study-old-0-0.svg"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    monkeypatch.setattr(sys, "argv", ["study.py", str(folder), str(tmp_path / "docs")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    page = (tmp_path / "docs" / "study.md").read_text()
    assert "| **C1** a \\| b | ◐ holds, explained by storage | 8 < 52 |" in page
    assert "- **C1**: because of its size" in page
    assert "- Of two: accuracy opd 74.2 %, sft 74.2 %, from 55.1 % at the start" in page
    drawings = sorted(path.name for path in stale.parent.iterdir())
    assert drawings == [
        *("study-gates-0-0.svg", "study-gates-1-0.svg", "study-gates-2-0.svg"),
        *(f"study-q-{place}-0.svg" for place in range(5)),  # of again: no bfloat16, no Hill
    ]
    headings = [line for line in page.splitlines() if line.startswith("###")]
    assert headings[:8] == [
        "### Values at the last step",
        "### Of two",
        "#### Update sparsity against the size of the update",
        "#### Update sparsity",
        "### Of again",
        "#### Stable rank of the update",
        "#### Update norm",
        "### Gate I: what the update spends",
    ]
    assert "Both panels share one scale" not in page
    assert "first, the Hill estimates and what bfloat16 shows." in page
    assert "| KL to W0, nats a token | 0.0200 (0.0100 to 0.0200) |" in page
    for name in drawings:
        assert f"](figures/{name})" in page
        drawing = (stale.parent / name).read_text()
        assert '<rect width="100%" height="100%" fill="#ffffff"/>' in drawing
        assert "var(" not in drawing
    alone = (stale.parent / "study-q-3-0.svg").read_text()
    assert ">Stable rank of the update: in float32</text>" in alone
    assert ">sft</text>" in alone
