"""The engine that a name stands for."""

from functools import partial
from typing import Literal, get_args

from hodograph.engine.local import Local
from hodograph.engine.on_ray import OnRay
from hodograph.engine.plan import memory_of
from hodograph.engine.run import Engine
from hodograph.engine.settings import Settings
from hodograph.errors import SettingsError

EngineName = Literal["local", "ray"]


def engine_of(name: EngineName, address: str, workers: int, settings: Settings) -> Engine:
    """The engine of this machine or of a Ray cluster.

    Args:
        name: "local" or "ray".
        address: of the Ray cluster.
        workers: processes of the local engine.
        settings: of the measurement.

    Raises:
        SettingsError: no such engine, the device is not there, or Ray was given workers.
    """
    if name not in get_args(EngineName):
        raise SettingsError(f"engine is {name!r}; it is one of {', '.join(get_args(EngineName))}.")
    if name == "local":
        return Local(workers, settings.device)
    if workers != 1:
        raise SettingsError(
            "a Ray cluster says itself how many units it works on: one a core, or one a GPU.\n"
            "  Leave out --workers."
        )
    return OnRay(address, settings.device, partial(memory_of, settings=settings))
