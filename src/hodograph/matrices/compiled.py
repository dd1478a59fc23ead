"""Compiling loops over weights: once a machine, kept beside the code or in the user's cache."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(signature: Any) -> Callable[[F], F]:
    """Compile a function for the types of one signature, when its file is imported.

    Where no folder can be written to, or none has room, every process compiles for itself.
    """

    def decorate(function: F) -> F:
        try:
            return njit(signature, cache=True, nogil=True)(function)
        except (OSError, RuntimeError):  # what numba raises where it cannot keep the code
            return njit(signature, nogil=True)(function)

    return decorate
