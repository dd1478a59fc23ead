"""Write docs/study.md and its figures from a finished study of the miniature.

make study && .venv/bin/python docs/figures/study.py runs/study
"""

import re
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hodograph.report.question_view import QuestionView
from hodograph.report.read import read_study
from hodograph.report.standalone import svg_file
from hodograph.report.study import study_view
from hodograph.report.views import Figure

HERE = Path(__file__).parent


def shown(question: QuestionView) -> list[Figure]:
    """The values of a question's arms, and what its first comparison shows of them."""
    values = [] if question.values is None else [question.values]
    return values + (question.comparisons[0].figures if question.comparisons else [])


def save(figure: Figure, start: str, folder: Path) -> list[tuple[str, str]]:
    """Write a figure's panels; return the name of each file and what it shows, in words."""
    saved = []
    for index, panel in enumerate(figure.panels):
        words = re.search(r'aria-label="([^"]*)"', panel.svg)
        name = f"{start}-{index}.svg"
        drawing = svg_file(panel.svg).replace("<svg", '<svg style="background: #ffffff"', 1)
        (folder / name).write_text(drawing, encoding="utf-8")
        saved.append((name, words[1] if words else figure.title))
    return saved


def cell(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def page(folder: Path, figures: Path) -> str:
    """The page's text; writes its figures and removes those of an earlier page."""
    for earlier in figures.glob("study-*.svg"):
        earlier.unlink()
    study = read_study(folder)
    view: dict[str, Any] = study_view(folder, study)
    drawn = {
        question.ident: [
            (figure, save(figure, f"study-{question.ident.removeprefix('question-')}-{n}", figures))
            for n, figure in enumerate(shown(question))
        ]
        for question in view["questions"]
    }
    gates = view["gates"]["figures"] if view["gates"] else []
    drawn["gates"] = [(one, save(one, f"study-gates-{n}", figures)) for n, one in enumerate(gates)]
    environment = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    environment.filters["cell"] = cell
    return environment.get_template("study.md.j2").render(**view, drawn=drawn, folder=folder)


def main() -> None:
    """Write the page beside the other pages, or into the folder named second."""
    folder = Path(sys.argv[1])
    docs = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parent
    (docs / "figures").mkdir(parents=True, exist_ok=True)
    (docs / "study.md").write_text(page(folder, docs / "figures"), encoding="utf-8")


if __name__ == "__main__":
    main()
