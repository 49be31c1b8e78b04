"""What an engine is: a class whose instance runs one network on arrays, until it is closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from gossamer.graph import Graph, Input

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subject:
    """One network in every form that the caller has; engines take the form that they need.

    Args:
        graph: the exact network.
        module: the PyTorch module that the graph was exported from.
        program: the graph compiled for the number of threads that is measured.
        shape: (N, C, H, W) that is measured; the graph's example unless given.
    """

    graph: Graph
    module: nn.Module | None = None
    program: Callable[[np.ndarray], np.ndarray] | None = None
    shape: tuple[int, ...] | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(N, C, H, W) that is measured."""
        return self.shape or self.graph.input.example

    @property
    def fixed_graph(self) -> Graph:
        """The graph for the measured shape only: rivals plan better when no size is left open."""
        exact = Input(self.graph.input.name, self.input_shape, free=frozenset())
        return replace(self.graph, input=exact)


class Engine(ABC):
    """A prepared network: `engine(x)` takes and returns float32 arrays.

    An engine is a context manager; leaving it frees threads and restores settings. The constructor
    takes a `Subject` and the number of threads, and raises MissingDependencyError where the
    engine's package is not installed. It runs inputs of the subject's shape.

    Attributes:
        name: in the registry and in tables.
        tolerance: |difference| of outputs, relative to the largest |output|, that the engine's own
            arithmetic may cost; 0 for plain float32, where the caller's tolerance decides.
    """

    name: ClassVar[str]
    tolerance: ClassVar[float] = 0.0

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
