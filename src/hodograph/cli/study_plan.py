"""What `hodograph study --plan` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from hodograph.cli.training_plan import duration

if TYPE_CHECKING:
    from hodograph.studies.estimate import RunEstimate, StudyEstimate

MARKS = {"measured": "", "scaled": "~", "least": ">"}


def print_study_plan(console: Console, name: str, estimate: StudyEstimate) -> None:
    """Print every run under every seed, what is there of it, and what is left to do."""
    runs = estimate.runs
    names = list(dict.fromkeys(one.run.name for one in runs))
    seeds = list(dict.fromkeys(one.run.seed for one in runs))
    table = Table(title=f"plan of {name}", box=None, pad_edge=False, title_justify="left")
    for heading in ("", "steps", "time a run", *(f"seed {seed}" for seed in seeds)):
        table.add_column(heading, justify="left" if not heading else "right")
    for role in ("stage", "arm"):
        for one in names:
            rows = {r.run.seed: r for r in runs if r.run.name == one and r.run.role == role}
            if rows:
                table.add_row(*_row(one, rows, seeds))
    console.print(table)
    for line in _summary(estimate):
        console.print(line, highlight=False, soft_wrap=True)


def _row(name: str, rows: dict[int, RunEstimate], seeds: list[int]) -> list[str]:
    first = next(iter(rows.values()))
    missing = [one for one in rows.values() if one.seconds or None in (one.training, one.gates)]
    longest = max(missing, key=lambda one: one.seconds, default=None)
    time = "" if longest is None else _time(longest)
    states = [_state(rows[seed]) if seed in rows else "" for seed in seeds]
    return [name, str(first.run.recipe.steps), time, *states]


def _time(one: RunEstimate) -> str:
    if one.training is None or not one.seconds:
        return "?"
    return f"{MARKS[one.basis]}{duration(one.seconds)}"


def _state(one: RunEstimate) -> str:
    if one.kept.other is not None:
        return "another recipe"
    if one.kept.measured:
        return "no gates" if one.gated and one.kept.gates is None else "measured"
    if one.kept.finished:
        return "finished"
    return f"step {one.kept.step}" if one.kept.step else "missing"


def _summary(estimate: StudyEstimate) -> list[str]:
    runs = estimate.runs
    arms = sum(one.run.role == "arm" for one in runs)
    finished = sum(one.kept.finished for one in runs)
    measured = sum(one.kept.measured for one in runs)
    sizes = [one.size for one in runs if one.size is not None]
    lines = [
        f"{arms} arms and {len(runs) - arms} stages over all seeds: {finished} of {len(runs)}"
        f" finished, {measured} of {arms} measured.",
        *_of_gates(runs),
        f"Work left: {duration(sum(one.seconds for one in runs))}, or"
        f" {duration(estimate.wall)} in {estimate.workers} worker processes{_but(runs)}.",
        f"On disk: {decimal(sum(one.kept.size for one in runs))} now, and"
        f" {decimal(sum(sizes))} of checkpoints to come.",
    ]
    if any(one.basis == "scaled" for one in runs if one.training):
        lines.append("~: by its operations, from the speed of the runs that are there.")
    if any(one.basis == "least" for one in runs if one.training):
        lines.append(
            ">: at the speed of one large matrix product; small models are several times slower."
        )
    lines += [
        f"{one.run.key} holds a run of another recipe: {one.kept.other}"
        for one in runs
        if one.kept.other
    ]
    lines += [f"?: {why}" for why in dict.fromkeys(one.why for one in runs if one.why)]
    return lines


def _of_gates(runs: list[RunEstimate]) -> list[str]:
    """How many of the gates are there, and what the rest takes; nothing where none are asked."""
    gated = [one for one in runs if one.gated]
    if not gated:
        return []
    there = sum(one.kept.gates is not None for one in gated)
    known = all(one.gates is not None for one in gated)
    left = duration(sum(one.gates or 0.0 for one in gated)) if known else "?"
    return [f"Gates: {there} of {len(gated)} measured, {left} left."]


def _but(runs: list[RunEstimate]) -> str:
    """What the sum leaves out."""
    unknown = sum(one.training is None for one in runs)
    unmeasured = sum(one.measuring is None for one in runs)
    ungated = sum(one.gates is None for one in runs)
    left = [f"{unknown} runs of unknown size"] if unknown else []
    left += [f"measuring {unmeasured} arms, of which none was timed yet"] if unmeasured else []
    left += [f"the gates of {ungated} arms, of which none was timed yet"] if ungated else []
    return f", without {' and '.join(left)}" if left else ""
