"""What the shown quantities mean, taken from the declared columns, and the papers they are from."""

from dataclasses import dataclass

from hodograph.report.names import TITLES, null_of
from hodograph.tables.columns import BY_NAME, Column


@dataclass(frozen=True)
class Entry:
    """A quantity as the page calls it, with its declared column and that of its null."""

    title: str
    column: Column
    null: Column | None


def glossary() -> list[Entry]:
    """Return an entry for each metric a page lists."""
    entries = []
    for metric, title in TITLES.items():
        null = null_of(metric)
        entries.append(Entry(title, BY_NAME[metric], BY_NAME[null] if null else None))
    return entries


def definition(metric: str) -> str:
    """Return the formula of a metric with its unit, for titles of headings."""
    column = BY_NAME[metric]
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.name}{unit}: {column.formula}"


PAPERS = (
    "Shen et al., On the Geometry of On-Policy Distillation, arXiv 2606.07082.",
    "Zhu et al., The Path Not Taken: RLVR Provably Learns Off the Principals, arXiv 2511.08567.",
    "Rudelson and Vershynin, Sampling from large matrices: an approach through geometric "
    "functional analysis, Journal of the ACM 54 (4), 2007.",
    "Roy and Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007.",
    "Hill, A simple general approach to inference about the tail of a distribution, "
    "Annals of Statistics 3 (5), 1975.",
    "Mirsky, Symmetric gauge functions and unitarily invariant norms, "
    "Quarterly Journal of Mathematics 11, 1960.",
)
