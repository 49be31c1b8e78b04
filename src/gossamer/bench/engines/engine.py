"""What an engine is: a class whose instance runs one network on arrays, until it is closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from gossamer.graph import Graph

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subject:
    """One network in every form that the caller has; engines take the form that they need.

    Args:
        graph: the exact network.
        module: the PyTorch module that the graph was exported from.
        program: the graph compiled for the number of threads that is measured.
    """

    graph: Graph
    module: nn.Module | None = None
    program: Callable[[np.ndarray], np.ndarray] | None = None


class Engine(ABC):
    """A prepared network: `engine(x)` takes and returns float32 arrays.

    An engine is a context manager; leaving it frees threads and restores settings. The constructor
    takes a `Subject` and the number of threads, and raises MissingDependencyError where the
    engine's package is not installed.

    Attributes:
        name: in the registry and in tables.
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, subject: Subject, *, threads: int = 1) -> None: ...

    @abstractmethod
    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Run the network on (N, C, H, W) float32."""

    def bind(self, x: np.ndarray) -> Callable[[], Any]:
        """Return a call without arguments that runs on `x`, with what can be done before done."""
        return lambda: self(x)

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return package → version of everything that decides the engine's speed."""

    def close(self) -> None:  # noqa: B027  (most engines hold nothing)
        """Free what the engine holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
