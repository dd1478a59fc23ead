"""The engine of a Ray cluster: one unit a task, on whichever node is free."""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from hodograph.engine import devices
from hodograph.engine.matrix import Row
from hodograph.engine.run import Measured, Work, measured_here
from hodograph.engine.versions import versions
from hodograph.errors import HodographError, SettingsError, StorageError
from hodograph.matrices.pairing import Parameter
from hodograph.processes import one_thread

RETRIES = 3  # of a unit whose worker or node was lost
AHEAD = 2  # units handed to Ray for each that can be in work, so that no worker waits
CONNECT_SECONDS = 10
LIBRARIES = 400_000_000  # bytes a worker process takes before it reads a weight


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
            SettingsError: Ray is not installed, or no cluster or no GPU is there.
        """
        if device == "cpu":
            return device
        with self._connected() as ray:
            _require(ray, "GPU", 1, "a unit on --device cuda")
            return ray.get(ray.remote(num_gpus=1)(devices.kind_of).remote(device))

    def measured(self, units: list[Parameter], work: Work) -> Measured:
        """Units as tasks, a bounded number at a time, in the order given.

        Raises:
            HodographError: as `work` raises, with the node's address.
            SettingsError: no cluster, or none of its nodes can hold the largest unit.
            StorageError: a unit's worker was lost time and again.
        """
        if not units:
            return
        with self._connected() as ray:
            largest = max(units, key=self.memory)
            _require(ray, "memory", self._bytes(largest), largest.name)
            yield from _in_tasks(ray, units, work, self._needs, self._expected())

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


def _require(ray: ModuleType, resource: str, needed: int, by: str) -> None:
    """Refuse what Ray would wait for without end.

    Raises:
        SettingsError: no node has as much of the resource.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    most = max((node.get(resource, 0) for node in nodes), default=0)
    if most < needed:
        raise SettingsError(
            f"{by} needs {resource} {needed:,}, and the cluster's largest node has {most:,.0f}.\n"
            "  Add a node that has it, or measure with --engine local."
        )


def _in_tasks(
    ray: ModuleType,
    units: list[Parameter],
    work: Work,
    needs: Callable[[Parameter], dict[str, Any]],
    expected: dict[str, str],
) -> Measured:
    task, shared = ray.remote(_measured_there), ray.put(work)
    waiting, running = deque(units), {}
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * max(1, _cores(ray)):
                unit = waiting.popleft()
                running[task.options(**needs(unit)).remote(shared, unit, expected)] = unit
            done, _ = ray.wait(list(running), num_returns=1)
            unit = running.pop(done[0])
            yield unit, _rows(ray, done[0], unit)
    finally:
        for reference in running:
            ray.cancel(reference)


def _cores(ray: ModuleType) -> int:
    return int(ray.cluster_resources().get("CPU", 0))


def _measured_there(
    work: Work, unit: Parameter, expected: dict[str, str]
) -> list[Row] | HodographError:
    """Measure one unit in a process of the cluster; an error a user can act on names the node."""
    import ray

    try:
        _require_same(expected)
        with one_thread():
            return measured_here(work, unit)
    except HodographError as error:
        node = ray.util.get_node_ip_address()
        return type(error)(f"{error}\n  This is so on the node {node}.")


def _require_same(expected: dict[str, str]) -> None:
    """Refuse a node whose numbers could differ from those of the others.

    Raises:
        SettingsError: it has other versions, or another GPU.
    """
    device = "cpu" if expected["device"] == "cpu" else "cuda"
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
