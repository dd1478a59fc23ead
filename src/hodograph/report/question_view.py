"""What the page shows of one question: table, values, and each comparison's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hodograph.report.comparison import budgets_differ, comparison_table
from hodograph.report.keys import arm_key
from hodograph.report.landscapes import heat_map_figures
from hodograph.report.ledger import Claim, claims_of
from hodograph.report.orderings import OrderingsView, orderings_views, titled
from hodograph.report.origins import origins
from hodograph.report.overlaps import overlaps_figure
from hodograph.report.profiles import profiles
from hodograph.report.questions import Asked, Compared
from hodograph.report.style import looks
from hodograph.report.summary import ByOrigin, sentences
from hodograph.report.trajectories import (
    LOCK,
    PATH,
    Arms,
    sparsity_size_figure,
    trajectory_figures,
)
from hodograph.report.values import values_figure
from hodograph.report.views import Figure, Key, Table


@dataclass(frozen=True)
class ComparisonView:
    """One comparison: a key of its arms, its figures, and what accounts for its orderings."""

    ident: str
    title: str
    key: Key
    figures: list[Figure]
    orderings: list[OrderingsView]


@dataclass(frozen=True)
class QuestionView:
    """One section of the page."""

    ident: str
    title: str
    claims: list[Claim]
    untested: list[str]
    sentences: list[list[str]]
    notes: list[str]
    table: Table
    values: Figure | None
    comparisons: list[ComparisonView]


def question_views(
    questions: Sequence[Asked], ordered: Mapping[str, ByOrigin], claims: Sequence[Claim]
) -> list[QuestionView]:
    """Return what the page shows of each question."""
    named = {name for question in questions for name in question.claims}
    return [
        _question(question, ordered, claims_of(claims, question.claims, named))
        for question in questions
    ]


def _question(
    question: Asked, ordered: Mapping[str, ByOrigin], claims: list[Claim]
) -> QuestionView:
    views = [_comparison(one, ordered.get(one.ident, {})) for one in question.comparisons]
    bodies = [
        (titled(one.title, group.label), group.arms)
        for one in question.comparisons
        for group in origins(one.arms)
    ]
    return QuestionView(
        ident=question.ident,
        title=question.title,
        claims=claims,
        untested=[name for name in question.claims if name not in {one.row.id for one in claims}],
        sentences=sentences(question, ordered),
        notes=[note for one in question.comparisons for note in _budgets(one)],
        table=comparison_table(bodies, "Arms at their last step", question.ident),
        values=values_figure(question),
        comparisons=[view for view in views if view.figures or view.orderings],
    )


def _comparison(one: Compared, ordered: ByOrigin) -> ComparisonView:
    ident = f"{one.ident}-"
    key = arm_key(looks(one.measured), ident)
    return ComparisonView(
        ident=f"comparison-{one.ident}",
        title=one.title,
        key=key if len(key) > 1 else [],
        figures=_figures(one, ident, key) if one.measured else [],
        orderings=orderings_views({name: list(found) for name, found in ordered.items()}, ident),
    )


def _figures(one: Compared, ident: str, key: Key) -> list[Figure]:
    """Return what is drawn; figures of lines take the key into their files."""
    return [replace(figure, key=() if shown == "heat_maps" else key)
            for shown in one.shows if shown in FIGURES
            for figure in FIGURES[shown](one.measured, ident)]  # fmt: skip


def _size(arms: Arms, ident: str) -> list[Figure]:
    against = sparsity_size_figure(arms, ident)
    along = trajectory_figures(arms, ("update_sparsity",), ident)
    return along if against is None else [against, *along]


def _overlaps(arms: Arms, ident: str) -> list[Figure]:
    figure = overlaps_figure(arms, ident)
    return [] if figure is None else [figure]


FIGURES: dict[str, Callable[[Arms, str], list[Figure]]] = {
    "size": _size,
    "profiles": profiles,
    "overlaps": _overlaps,
    "path": lambda arms, ident: trajectory_figures(arms, PATH, ident),
    "lock": lambda arms, ident: trajectory_figures(arms, LOCK, ident),
    "heat_maps": heat_map_figures,
}
"""What a comparison may show besides its orderings."""


def _budgets(one: Compared) -> list[str]:
    return [
        f"{titled(one.title, group.label)}: budgets (learning rate × steps) differ between arms, "
        "so differences between them are not those of the objective alone."
        for group in origins(one.arms)
        if budgets_differ(group.arms)
    ]
