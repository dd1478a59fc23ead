"""A study's claims as its file declares them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from hodograph.claims.agreement import Agreement
from hodograph.claims.alignment import Alignment
from hodograph.claims.departure import Departure
from hodograph.claims.gates import Gates
from hodograph.claims.ordering import Ordering
from hodograph.claims.ratio import Ratio
from hodograph.claims.retention import Retention
from hodograph.claims.trend import Trend
from hodograph.recipes.section import Section

AnyPart = Annotated[
    Agreement | Alignment | Departure | Gates | Ordering | Ratio | Retention | Trend,
    Field(discriminator="type"),
]
LIKE, WITH = "like", "with"
NO_ARMS = ("type", "metric")  # keys of a part whose text names no arm


class Claim(Section):
    """One claim: it holds if all its parts do.

    Attributes:
        claim: in words.
        paper: the paper's value.
        parts: the tests.
    """

    claim: Annotated[str, Field(min_length=1)]
    paper: Annotated[str, Field(min_length=1)]
    parts: Annotated[tuple[AnyPart, ...], Field(min_length=1)]

    @property
    def arms(self) -> tuple[str, ...]:
        """Every arm it is judged on, controls included."""
        return tuple(dict.fromkeys(arm for part in self.parts for arm in part.arms_named))


def resolved(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Claims with `like` replaced by the claim it names, the arms in `with` put for that one's.

    Raises:
        ValueError: `like` names no claim, or one that is like another itself.
    """
    return {name: _resolved(claims, name) for name in claims}


def _resolved(claims: Mapping[str, Any], name: str) -> Any:
    own = claims[name]
    if not isinstance(own, Mapping) or LIKE not in own:
        return own
    model = claims.get(own[LIKE])
    if not isinstance(model, Mapping) or LIKE in model:
        plain = ", ".join(n for n, c in claims.items() if isinstance(c, Mapping) and LIKE not in c)
        raise ValueError(f"{name}: like = {own[LIKE]!r} names none of {plain}")
    arms = own.get(WITH, {})
    if not isinstance(arms, Mapping):
        raise ValueError(f"{name}: with: a table of arms is expected, as {{ sft = 'sft_paper' }}")
    rest = {key: value for key, value in own.items() if key not in (LIKE, WITH)}
    return {**model, "parts": _renamed(model.get("parts"), arms), **rest}


def _renamed(tree: Any, arms: Mapping[str, Any]) -> Any:
    """A part with its arms replaced, as values and as keys."""
    if isinstance(tree, str):
        return arms.get(tree, tree)
    if isinstance(tree, list | tuple):
        return [_renamed(one, arms) for one in tree]
    if not isinstance(tree, Mapping):
        return tree
    return {
        arms.get(key, key): value if key in NO_ARMS else _renamed(value, arms)
        for key, value in tree.items()
    }
