"""What a study asks: its arms in comparisons of a few, for the page to show in this order."""

from collections.abc import Collection, Mapping
from typing import Literal

from pydantic import Field

from hodograph.errors import SettingsError
from hodograph.recipes.section import Name, Section

Shown = Literal["orderings", "size", "profiles", "overlaps", "path", "lock", "heat_maps"]
Value = Literal[
    "accuracy",
    "update_sparsity",
    "overlap_principal_30",
    "overlap_low_30",
    "relative_norm",
    "kappa",
    "angle_left_mean",
    "angle_right_mean",
    "nss",
    "principal_energy_right_16",
    "stable_rank",
    "hill_11",
]
VALUES: tuple[Value, ...] = (
    "update_sparsity",
    "relative_norm",
    "angle_right_mean",
    "nss",
    "overlap_principal_30",
    "overlap_low_30",
)


class Comparison(Section):
    """A few arms to be read beside each other.

    Attributes:
        title: what the arms share, or what differs between them.
        arms: in the order they are shown.
        shows: figures and orderings of these arms; without any, they only have their rows in the
            question's table and their marks in its values.
    """

    title: str
    arms: tuple[str, ...] = Field(min_length=1)
    shows: tuple[Shown, ...] = ()


class Question(Section):
    """One section of the page.

    Attributes:
        title: the question, in words.
        claims: ids of the claims it bears on; one that no question names itself, as
            "C1 unmatched", belongs where its first word is named.
        values: what is drawn of all its arms at their last step.
        comparisons: its arms, a few at a time; an arm may be in several.
    """

    title: str
    claims: tuple[str, ...] = ()
    values: tuple[Value, ...] = VALUES
    comparisons: dict[Name, Comparison] = Field(min_length=1)


def check_questions(
    questions: Mapping[str, Question], arms: Collection[str], where: object
) -> None:
    """Refuse questions that the page could not show.

    Raises:
        SettingsError: a comparison names no arm of the study, or two have one title.
    """
    titles: dict[str, str] = {}
    for name, question in questions.items():
        for key, comparison in question.comparisons.items():
            place = f"questions.{name}.comparisons.{key}"
            if (other := titles.setdefault(comparison.title, place)) != place:
                raise SettingsError(
                    f"{where}: {place} and {other} have one title, {comparison.title!r}.\n"
                    "  Titles tell comparisons apart in orderings.json; change one of them."
                )
            if unknown := [arm for arm in comparison.arms if arm not in arms]:
                raise SettingsError(
                    f"{where}: {place}.arms: {unknown[0]!r} is no arm of the study.\n"
                    f"  Its arms are {', '.join(arms)}."
                )
