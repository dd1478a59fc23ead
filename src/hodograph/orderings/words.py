"""Sentences that a reader can quote, each with the numbers it rests on."""

from collections.abc import Sequence

from hodograph.orderings.metrics import Ordered
from hodograph.orderings.pair import Allowance, Pair
from hodograph.statistics.paired import Interval
from hodograph.statistics.verdict import THRESHOLDS, beyond_seeds


def written(value: float, scale: float) -> str:
    """A value to three significant digits, its minus sign a real one."""
    shown = scale * value
    text = f"{shown:#.3g}".removesuffix(".") if abs(shown) < 1000 else f"{shown:.0f}"
    return ("0" if shown == 0 else text).replace("-", "−")


def share(value: float) -> str:
    """A share of a difference in whole per cent."""
    return f"{100 * value:.0f} %".replace("-", "−")


def interval(found: Interval, metric: Ordered) -> str:
    """The mean of differences with its interval, `1.2 points (0.8 to 1.6)`."""
    mean, ends = f"{written(found.mean, metric.scale)}{metric.points}", bounds_of(found, metric)
    return mean if ends is None else f"{mean} ({ends})"


def bounds_of(found: Interval, metric: Ordered) -> str | None:
    """The ends of an interval, `0.8 to 1.6`; None where there is none."""
    if found.low is None or found.high is None:
        return None
    return f"{written(found.low, metric.scale)} to {written(found.high, metric.scale)}"


def accounted(found: float) -> str:
    """How much of a difference an explanation accounts for."""
    if found <= 0:
        return "none of it"
    return f"{share(found)} of it" if found <= 1 else "all of it"


def ordering_sentence(metric: Ordered, arms: Sequence[tuple[str, float]], seeds: int) -> str:
    """The order of the arms with their means."""
    order = " < ".join(
        f"{name} {written(value, metric.scale)}{metric.unit}" for name, value in arms
    )
    over = {0: "each arm's own seeds", 1: "one seed"}.get(seeds, f"means over {seeds} seeds")
    return f"{capital(metric.title)}: {order} ({over})."


def capital(text: str) -> str:
    """The text with its first letter in upper case, where it is a Latin one."""
    return text[0].upper() + text[1:] if text[0].isascii() else text


def pair_sentence(metric: Ordered, pair: Pair) -> str:
    """What may be said of two adjacent arms: seeds, displacement, storage, and the verdict."""
    parts = [_seeds(metric, pair), _displacement(metric, pair), _storage(metric, pair)]
    return " ".join([part for part in parts if part] + [f"Verdict: {verdict(pair)}."])


def verdict(pair: Pair) -> str:
    """The final word, with its reason where it is undetermined."""
    return f"{pair.word} ({pair.why})" if pair.why else pair.word


def thresholds_sentence(pairs: int) -> str:
    """The constants behind every verdict, and how many there are."""
    return (
        f"{pairs} pairs are judged. Beyond seed noise: Student's {100 * THRESHOLDS.level:.0f} % "
        f"interval of the differences paired by seed leaves out zero; one shared seed "
        "has none. Explained: what remains is not above zero by its interval, or is under "
        f"{100 * THRESHOLDS.remainder:.0f} % of the difference; unresolved where its interval also "
        "holds the whole difference. The intervals are not adjusted for the number of pairs."
    )


def seeds_verdict(pair: Pair) -> str:
    """Whether a pair differs by more than seeds do."""
    beyond = beyond_seeds(pair.difference)
    if beyond is None:
        return "one seed: not known"
    return "beyond seed noise" if beyond else "not beyond seed noise"


def allowance_verdict(pair: Pair, found: Allowance) -> str:
    """What one explanation accounts for, in a few words."""
    if found.share is None or found.remainder is None:
        return found.how
    if not pair.tells:
        return "nothing to explain"
    return f"{found.standing}; accounts for {share(found.share)}"


def _seeds(metric: Ordered, pair: Pair) -> str:
    n = pair.difference.n
    said = f"{pair.higher} exceeds {pair.lower} by {interval(pair.difference, metric)}"
    if n > 1:
        level = f"{100 * THRESHOLDS.level:.0f} % interval over {n} seeds"
        return f"{said}, {level}: {seeds_verdict(pair)}."
    return f"{said}; {seeds_verdict(pair)}{_layers(pair)}."


def _layers(pair: Pair) -> str:
    """With one seed the layers of one run are the unit, and say nothing of another seed."""
    if pair.layers is None or pair.layers.p is None:
        return ""
    least = f"{pair.layers.least_p:.2g}"
    return (
        f", over {pair.layers.layers} layers (layers are the unit, seeds are not) "
        f"p = {pair.layers.p:.2g}, the least possible {least}"
    )


def _displacement(metric: Ordered, pair: Pair) -> str:
    found = pair.displacement
    if found.remainder is None or pair.norm is None:
        return f"Displacement: {found.how}."
    left = interval(found.remainder, metric)
    equal = f"At equal relative norm ({written(pair.norm, 100)} %) the difference is {left}"
    return _accounts(equal, "displacement", pair, found)


def _storage(metric: Ordered, pair: Pair) -> str:
    found = pair.storage
    if metric.kind == "size":
        return ""
    if found.remainder is None:
        return f"Storage: {found.how}."
    if metric.kind == "visible":
        left = f"{capital(found.how)} remain {interval(found.remainder, metric)}"
        return _accounts(left, "storage", pair, found)
    return f"Storage plays no part: {found.how}{_in_bfloat16(metric, pair)}."


def _accounts(left: str, what: str, pair: Pair, found: Allowance) -> str:
    """What is left, and the share that is not, where there is a difference to explain."""
    if found.share is None or not pair.tells:
        return f"{left}."
    return f"{left}: {what} accounts for {accounted(found.share)}."


def _in_bfloat16(metric: Ordered, pair: Pair) -> str:
    """What bfloat16 would show of the difference, smaller or larger, or reversed."""
    shown = pair.in_bfloat16
    if shown is None:
        return ""
    same = shown.mean * pair.difference.mean > 0
    order = "the same order" if same else "the opposite order"
    return f"; bfloat16 would show {order}, {interval(shown, metric)}"
