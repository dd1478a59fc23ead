"""`hodograph train`: one recipe into one run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.progress import Progress

from hodograph.cli.terminal import Terminal
from hodograph.cli.training_plan import print_training_plan
from hodograph.cli.watched import estimates
from hodograph.errors import SettingsError
from hodograph.recipes import Recipe, load_recipe
from hodograph.world import join, leave

if TYPE_CHECKING:
    from hodograph.training.plan_memory import Layout

GB = 10**9
Parallel = Literal["ddp", "fsdp2"]
GpuName = Literal["a100", "h100", "h200"]
Overrides = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def train(
    recipe: Path,
    /,
    *overrides: Overrides,
    out: Path | None = None,
    plan: Annotated[bool, Parameter(negative="")] = False,
    processes: int | None = None,
    parallel: Parallel | None = None,
    gpu_memory: float | None = None,
    gpu: GpuName | None = None,
) -> None:
    """Train a recipe; the same command resumes a run that was killed.

    Started by accelerate or torchrun, it trains one run on all their processes
    (docs/guides/distributed.md).

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
        Print parameters, memory and an estimated time, from configurations alone; train nothing.
    processes
        With --plan: how many devices the recipe is spread over; 1 when left out.
    parallel
        With --plan: how it is spread: ddp, the whole model on each device, or fsdp2, a share.
    gpu_memory
        With --plan: plan for GPUs of so many GB, which need not be here.
    gpu
        With --plan: plan for GPUs of this name, with the memory and speed of their data sheet
        (A100 80GB, H100 80GB, H200 141GB; SXM).
    """
    world = join()
    settings = world.together(lambda: load_recipe(recipe, parse_overrides(overrides)))
    if plan:
        layout = _layout(processes, parallel, gpu_memory, gpu)
        _plan(settings, layout, Terminal(quiet=not world.first))
        return
    if (processes, parallel, gpu_memory, gpu) != (None, None, None, None):
        raise SettingsError(
            "--processes, --parallel, --gpu-memory and --gpu belong to --plan: accelerate says what"
            " a run is started on (docs/guides/distributed.md)."
        )
    folder = out or Path("runs") / settings.name
    from hodograph.training import train as train_recipe  # imports torch and trl: seconds

    console = Terminal(stderr=True, quiet=not world.first)
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
    leave()


def _plan(recipe: Recipe, layout: "Layout", console: Terminal) -> None:
    from hodograph.training.plan import plan_training  # imports torch: seconds

    print_training_plan(console, plan_training(recipe, layout))


def _layout(
    processes: int | None, parallel: Parallel | None, gpu_memory: float | None, gpu: GpuName | None
) -> "Layout":
    from hodograph.training.gpus import GPUS
    from hodograph.training.plan_memory import Layout  # imports torch: seconds

    if (processes is not None and processes < 1) or (gpu_memory is not None and gpu_memory <= 0):
        raise SettingsError("--processes and --gpu-memory must be above 0.")
    if gpu_memory is not None and gpu is not None:
        raise SettingsError("--gpu tells the memory of the GPU: leave out --gpu-memory.")
    named = None if gpu is None else GPUS[gpu]
    size = named.size if named else None if gpu_memory is None else round(gpu_memory * GB)
    return Layout(processes or 1, parallel or "ddp", size, named)


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
