"""Write docs/study.md and its figures from a finished study of the miniature.

make study && .venv/bin/python docs/figures/study.py runs/study
"""

import re
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hodograph.report.question_view import QuestionView
from hodograph.report.read import read_study
from hodograph.report.standalone import document
from hodograph.report.study import study_view
from hodograph.report.views import Figure

HERE = Path(__file__).parent
Saved = list[tuple[Figure, list[tuple[str, str]]]]
"""Figures, with the name of each file and what it shows, in words."""


def shown(question: QuestionView) -> list[tuple[str, list[Figure]]]:
    """The values of a question's arms, then under its title what each comparison shows of them."""
    values = [] if question.values is None else [question.values]
    parts = [
        (one.title, one.figures if place == 0 else [*filter(None, map(shorter, one.figures))])
        for place, one in enumerate(question.comparisons)
    ]
    return [("", values), *((title, figures) for title, figures in parts if figures)]


def shorter(figure: Figure) -> Figure | None:
    """A later comparison's figure without Hill estimates and bfloat16, if one is left."""
    kept = [one for one in figure.panels if not re.search(r"hill_11-|-bfloat16$", one.file)]
    caption = figure.caption
    if len(kept) < len(figure.panels):
        caption = caption.replace(" Both panels share one scale.", "")
    return replace(figure, panels=kept, caption=caption) if kept else None


def save(figure: Figure, start: str, folder: Path, made: str) -> list[tuple[str, str]]:
    """Write a figure's panels; return the name of each file and what it shows, in words."""
    saved = []
    for index, panel in enumerate(figure.panels):
        words = re.search(r'aria-label="([^"]*)"', panel.svg)
        name = f"{start}-{index}.svg"
        (folder / name).write_text(document(figure, panel, made).svg, encoding="utf-8")
        saved.append((name, words[1] if words else figure.title))
    return saved


def saved(
    name: str, parts: list[tuple[str, list[Figure]]], folder: Path, made: str
) -> list[tuple[str, Saved]]:
    """Write the figures of a section, numbered through its parts, and return them with files."""
    number, start = count(), f"study-{name.removeprefix('question-')}"
    return [
        (title, [(one, save(one, f"{start}-{next(number)}", folder, made)) for one in figures])
        for title, figures in parts
    ]


def cell(text: object) -> str:
    """Text for a cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def page(folder: Path, figures: Path) -> str:
    """The page's text; writes its figures and removes those of an earlier page."""
    for earlier in figures.glob("study-*.svg"):
        earlier.unlink()
    study = read_study(folder)
    view: dict[str, Any] = study_view(folder, study)
    asked = {one.ident: shown(one) for one in view["questions"]}
    asked["gates"] = [("", view["gates"]["figures"] if view["gates"] else [])]
    drawn = {name: saved(name, parts, figures, view["made"]) for name, parts in asked.items()}
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
