"""The arms of a study by the questions it asks; without questions, one that holds all arms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hodograph.orderings.ordering import Ordering
from hodograph.report.orderings import orderings_by_origin
from hodograph.report.origins import Arm, origins
from hodograph.report.read import Comparison, Question, Study
from hodograph.report.trajectories import Arms

ALL_SHOWN = ("orderings", "size", "profiles", "overlaps", "path", "lock", "heat_maps")
ALL_VALUES = (
    "accuracy", "update_sparsity", "relative_norm", "angle_right_mean", "nss", "stable_rank",
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """A comparison with those of its arms that were run.

    Attributes:
        ident: unique on the page.
        title: what the arms share, or what differs between them.
        arms: in the order they are shown; at least one.
        shows: figures and orderings of these arms.
    """

    ident: str
    title: str
    arms: tuple[Arm, ...]
    shows: tuple[str, ...]

    @property
    def measured(self) -> Arms:
        """Measurements of each measured arm, one a seed."""
        return {a.name: list(a.measurements.values()) for a in self.arms if a.measurements}


@dataclass(frozen=True)
class Asked:
    """A question with its comparisons; see hodograph.studies.questions.Question."""

    ident: str
    title: str
    claims: tuple[str, ...]
    values: tuple[str, ...]
    comparisons: tuple[Compared, ...]


def asked(study: Study, arms: Sequence[Arm]) -> list[Asked]:
    """Return the study's questions with their arms, and last the arms that none asks about."""
    named = {
        arm for question in study.questions for one in question.comparisons for arm in one.arms
    }
    others = [arm.name for arm in arms if arm.name not in named]
    questions = [*study.questions, *_of_others(others, alone=not study.questions)]
    found = [_asked(question, arms) for question in questions]
    return [one for one in found if one.comparisons]


def not_run(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return the arms that the study asks about and that were not run."""
    run = {arm.name for arm in arms}
    named = dict.fromkeys(
        arm for question in study.questions for one in question.comparisons for arm in one.arms
    )
    return [name for name in named if name not in run]


def comparison_orderings(questions: Iterable[Asked]) -> dict[str, dict[str, list[Ordering]]]:
    """Return, by comparison, the orderings of its arms by W0, of those that are to be ordered."""
    return {
        one.ident: orderings_by_origin(origins(one.arms), one.title)
        for question in questions
        for one in question.comparisons
        if "orderings" in one.shows
    }


def _of_others(names: Sequence[str], *, alone: bool) -> list[Question]:
    if not names:
        return []
    title = "Arms" if alone else "Other arms"
    shows = ALL_SHOWN if alone else ()
    one = Comparison(name="all", title="", arms=tuple(names), shows=shows)
    return [Question(name="arms", title=title, values=ALL_VALUES, comparisons=(one,))]


def _asked(question: Question, arms: Sequence[Arm]) -> Asked:
    found = [_compared(question, one, {arm.name: arm for arm in arms})
             for one in question.comparisons]  # fmt: skip
    return Asked(
        ident=f"question-{question.name}",
        title=question.title,
        claims=question.claims,
        values=question.values,
        comparisons=tuple(one for one in found if one.arms),
    )


def _compared(question: Question, one: Comparison, arms: dict[str, Arm]) -> Compared:
    return Compared(
        ident=f"{question.name}-{one.name}",
        title=one.title,
        arms=tuple(arms[name] for name in one.arms if name in arms),
        shows=one.shows,
    )
