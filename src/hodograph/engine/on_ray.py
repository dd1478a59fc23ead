"""The engine of a Ray cluster: one unit a task, on whichever node is free."""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from hodograph.engine import devices
from hodograph.engine.matrix import Row
from hodograph.engine.plan import LIBRARIES
from hodograph.engine.run import Measured, Work, measured_here
from hodograph.engine.versions import versions
from hodograph.errors import HodographError, SettingsError, StorageError
from hodograph.matrices.pairing import Parameter
from hodograph.processes import one_thread

RETRIES = 3  # of a unit whose worker or node was lost, or that was ended for memory
OOM_RETRIES = "RAY_task_oom_retries"
AHEAD = 2  # units handed to Ray for each that can be in work, so that no worker waits
CONNECT_SECONDS = 10
LOOK_AGAIN_SECONDS = 60  # without a finished unit: a node that could hold it may be gone
SHOWN_NODES = 3


@dataclass(frozen=True)
class OnRay:
    """See `Engine`.

    A unit takes one core, or one GPU, and its memory. Ray runs it again where its worker or node
    is lost, and starts no more than fit.

    Attributes:
        address: as in `ray.init`: "auto", "local", or host:port of the head.
        device: "cpu" or "cuda".
        memory: bytes that a unit needs.
    """

    address: str
    device: str
    memory: Callable[[Parameter], int]

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise SettingsError(
                f"device is {self.device!r}; on a cluster Ray chooses the GPU: --device cuda."
            )

    def kind_of(self, device: str) -> str:
        """The model of a CUDA device of the cluster, or "cpu".

        Raises:
            SettingsError: Ray is not installed, no cluster or no GPU is there, or PyTorch sees none
                on the node that was asked.
        """
        if device == "cpu":
            return device
        with self._connected() as ray:
            _require_node(ray, {"CPU": 1, "GPU": 1}, "a unit on --device cuda")
            found = ray.get(ray.remote(num_gpus=1)(_kind_there).remote(device))
        if isinstance(found, HodographError):
            raise found
        return found

    def measured(self, units: list[Parameter], work: Work) -> Measured:
        """Units as tasks, a bounded number at a time, in the order given.

        Raises:
            HodographError: as `work` raises, with the node's address.
            SettingsError: no cluster, or none of its live nodes can hold the largest unit.
            StorageError: a unit's worker was lost time and again.
        """
        if not units:
            return
        with self._connected() as ray:
            self._require_room(ray, units)
            yield from _in_tasks(
                ray, units, work, self._needs, self._expected(), partial(self._require_room, ray)
            )

    def _require_room(self, ray: ModuleType, units: Iterable[Parameter]) -> None:
        """Refuse units of which the largest fits no live node."""
        largest = max(units, key=self.memory)
        needs = self._needs(largest)
        asked = {"CPU": needs["num_cpus"], "GPU": needs.get("num_gpus", 0)}
        _require_node(ray, asked | {"memory": needs["memory"]}, largest.name)

    def _needs(self, unit: Parameter) -> dict[str, Any]:
        gpus = {"num_gpus": 1} if self.device == "cuda" else {}
        return {"num_cpus": 1, "memory": self._bytes(unit), "max_retries": RETRIES} | gpus

    def _expected(self) -> dict[str, str]:
        """What every node must have, so that all compute alike."""
        return versions() | {"device": self.kind_of(self.device)}

    def _bytes(self, unit: Parameter) -> int:
        return self.memory(unit) + LIBRARIES

    @contextmanager
    def _connected(self) -> Iterator[ModuleType]:
        """Ray, connected to the cluster; a connection that was there before stays."""
        ray = _installed()
        if ray.is_initialized():
            yield ray
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            _require_listener(self.address)
            ray.init(self.address, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError) as error:
            raise SettingsError(
                f"no Ray cluster at {self.address!r} ({str(error).splitlines()[0]}).\n"
                "  Start one with `ray start --head`, or name the address of its head: --address"
                " host:6379; --address local starts one on this machine alone."
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _installed() -> ModuleType:
    """Ray, told how often to go on with what its memory monitor ends; by default without an end.

    Whoever starts tasks reads this when Ray is loaded, for a cluster that others started too.
    """
    os.environ.setdefault(OOM_RETRIES, str(RETRIES))
    try:
        import ray
    except ImportError as error:
        raise SettingsError(
            "the engine ray needs Ray, which is not installed.\n"
            "  pip install 'hodograph[ray]', here and on every node."
        ) from error
    return ray


def _require_listener(address: str) -> None:
    """Find out in seconds that nobody listens there; Ray tries for minutes.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def _require_node(ray: ModuleType, needed: Mapping[str, int], by: str) -> None:
    """Refuse what Ray would wait for without end.

    Raises:
        SettingsError: no live node has as much of everything that is needed.
    """
    needed = {name: amount for name, amount in needed.items() if amount}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(node.get(name, 0) >= needed[name] for name in needed) for node in nodes):
        return
    nodes.sort(key=lambda node: node.get("memory", 0), reverse=True)
    there = "; ".join(_listed(node, needed) for node in nodes[:SHOWN_NODES])
    raise SettingsError(
        f"{by} needs {_listed(needed, needed)} on one node, and none of the {len(nodes)} live nodes"
        f" has that. The largest: {there}.\n"
        "  Add a node that has it, or measure with --engine local."
    )


def _listed(resources: Mapping[str, float], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {resources.get(name, 0):,.0f}" for name in names)


def _in_tasks(
    ray: ModuleType,
    units: list[Parameter],
    work: Work,
    needs: Callable[[Parameter], dict[str, Any]],
    expected: dict[str, str],
    require_room: Callable[[list[Parameter]], None],
) -> Measured:
    task, shared = ray.remote(_measured_there), ray.put(work)
    waiting, running = deque(units), {}
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * max(1, _cores(ray)):
                unit = waiting.popleft()
                running[task.options(**needs(unit)).remote(shared, unit, expected)] = unit
            done, _ = ray.wait(list(running), num_returns=1, timeout=LOOK_AGAIN_SECONDS)
            if not done:
                require_room([*running.values(), *waiting])
                continue
            unit = running.pop(done[0])
            yield unit, _rows(ray, done[0], unit)
    finally:
        for reference in running:
            ray.cancel(reference)


def _cores(ray: ModuleType) -> int:
    return int(ray.cluster_resources().get("CPU", 0))


def _kind_there(device: str) -> str | HodographError:
    """The model of the GPU that Ray gave this process, or why there is none, with the node."""
    try:
        devices.check_device(device, 1)
    except SettingsError as error:
        return _on_this_node(error)
    return devices.kind_of(device)


def _measured_there(
    work: Work, unit: Parameter, expected: dict[str, str]
) -> list[Row] | HodographError:
    """Measure one unit in a process of the cluster; an error a user can act on names the node."""
    try:
        _require_same(expected)
        with one_thread():
            return measured_here(work, unit)
    except HodographError as error:
        return _on_this_node(error)


def _on_this_node(error: HodographError) -> HodographError:
    """The same error, with the address of the node that this process runs on."""
    import ray

    return type(error)(f"{error}\n  This is so on the node {ray.util.get_node_ip_address()}.")


def _require_same(expected: dict[str, str]) -> None:
    """Refuse a node whose numbers could differ from those of the others.

    Raises:
        SettingsError: it has other versions, another GPU, or none that PyTorch sees.
    """
    device = "cpu" if expected["device"] == "cpu" else "cuda"
    devices.check_device(device, 1)
    found = versions() | {"device": devices.kind_of(device)}
    for name, version in expected.items():
        if found[name] != version:
            raise SettingsError(
                f"{name} is {found[name]}, and {version} where the measurement was started.\n"
                "  Give every node the same versions, and let nodes with one model of GPU do it."
            )


def _rows(ray: ModuleType, reference: object, unit: Parameter) -> list[Row]:
    try:
        found = ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise  # a defect, with the task's own traceback
    except ray.exceptions.RayError as error:
        raise StorageError(
            f"{unit.name}: its worker was lost {RETRIES + 1} times"
            f" ({str(error).splitlines()[0]}).\n"
            "  Run the same command again; what was finished is kept."
        ) from error
    if isinstance(found, HodographError):
        raise found
    return found
