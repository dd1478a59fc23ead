"""What accounts for each ordering of a study's arms, as a terminal shows it."""

from rich.console import Console

from hodograph.orderings.ordering import Ordering
from hodograph.orderings.pair import Allowance, Pair
from hodograph.orderings.words import (
    interval,
    share,
    thresholds_sentence,
)


def print_orderings(console: Console, found: dict[str, list[Ordering]]) -> None:
    """Print, for each W0 and metric, the order of the arms and the verdict on each pair."""
    if not found:
        return
    for label, orderings in found.items():
        said = [f"\nWhat accounts for each ordering. {label}", HEAD]
        for one in orderings:
            said += [one.sentence, *(_line(one, pair) for pair in one.pairs)]
        for line in said:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    words = [pair.word for orderings in found.values() for one in orderings for pair in one.pairs]
    counted = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    for line in (thresholds_sentence(len(words)), f"Verdicts: {counted}."):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _written(pair: str, difference: str, displacement: str, storage: str, word: str) -> str:
    return f"  {pair:<23}{difference:<31}{displacement:>12}{storage:>9}  {word}"


HEAD = _written("higher - lower", "difference", "displacement", "storage", "verdict")


def _line(ordering: Ordering, pair: Pair) -> str:
    return _written(
        f"{pair.higher} - {pair.lower}",
        interval(pair.difference, ordering.metric),
        _part(pair, pair.displacement),
        _part(pair, pair.storage),
        pair.word,
    )


def _part(pair: Pair, found: Allowance) -> str:
    """Share of the difference that an explanation accounts for, where there is one to explain."""
    return share(found.share) if found.share is not None and pair.tells else ""
