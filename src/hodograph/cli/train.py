"""`hodograph train`: one recipe into one run folder."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import Progress

from hodograph.cli.terminal import Terminal
from hodograph.cli.training_plan import print_training_plan
from hodograph.cli.watched import estimates
from hodograph.errors import SettingsError
from hodograph.recipes import load_recipe

Overrides = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def train(
    recipe: Path,
    /,
    *overrides: Overrides,
    out: Path | None = None,
    plan: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Train a recipe; the same command resumes a run that was killed.

    Any key of the recipe can be set: --optimizer.lr 2e-5, --save.steps "[10, 20]",
    --student.path runs/base (relative to the working directory).

    Parameters
    ----------
    recipe
        TOML file; docs/guides/train.md lists its keys.
    overrides
        Pairs of a dotted key and a value.
    out
        Run folder; runs/NAME when left out, with the recipe's name.
    plan
        Print parameters, memory and the least time, from configurations alone, and train nothing.
    """
    settings = load_recipe(recipe, parse_overrides(overrides))
    if plan:
        from hodograph.training.plan import plan_training

        print_training_plan(Terminal(), plan_training(settings))
        return
    folder = out or Path("runs") / settings.name
    from hodograph.training import train as train_recipe  # imports torch and trl: seconds

    console = Terminal(stderr=True)
    if notice := getattr(settings.objective, "notice", None):
        console.print(notice, soft_wrap=True, highlight=False)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(settings.name, total=settings.steps)
        run = train_recipe(
            settings, folder, on_step=lambda step, _: progress.update(bar, completed=step)
        )
    console.print(f"{run.steps} steps; weights in {run.final_checkpoint}", soft_wrap=True)
    for result in run.evaluations:
        console.print(_sentence(result), soft_wrap=True)


def parse_overrides(tokens: tuple[str, ...]) -> dict[str, str]:
    """Pair ``--optimizer.lr 2e-5`` or ``--optimizer.lr=2e-5`` to dotted keys and values.

    Raises:
        SettingsError: a value without a key, or a key without a value.
    """
    pairs: dict[str, str] = {}
    rest = list(tokens)
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            raise SettingsError(f"{option!r} belongs to no option: write --KEY {option}.")
        key, given, value = option[2:].partition("=")
        if not given and not rest:
            raise SettingsError(f"{option} needs a value.")
        pairs[key.replace("-", "_")] = value if given else rest.pop(0)
    return pairs


def _sentence(result: dict[str, float]) -> str:
    return (
        f"step {result['step']}: accuracy {result['accuracy']:.3f} ± {result['standard_error']:.3f}"
        f" at temperature {result['temperature']:g}, greedy {result['greedy_accuracy']:.3f},"
        f" on {result['prompts']} prompts{estimates(result)}"
    )
