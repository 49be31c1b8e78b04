"""A compiled network that can be called."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Self

import numpy as np

from gossamer.errors import DataError, ProgramError
from gossamer.graph.graph import Graph
from gossamer.graph.verify import infer_shapes
from gossamer.runtime.explain import format_reports
from gossamer.runtime.native import native_loop
from gossamer.runtime.plan import Plan
from gossamer.runtime.workers import Workers

PLANS_KEPT = 8
"""Input sizes whose plans are kept; the one not used for longest goes first."""


class Program:
    """A network as machine code: numpy in, numpy out.

    Made by `gossamer.compile`. A plan is made for each input size that is fed (the example's size
    at once, others when they first come). Calls from several threads are safe and take turns. Its
    threads end when it is closed or no longer referred to. In a forked process a program of one
    thread works; one of several raises ProgramError, as its threads are not there.

    Args:
        graph: what it computes.
        planner: image shape → plan.
        threads: that run it, ≥ 1.

    Attributes:
        graph: what it computes.
        threads: that run it.
    """

    def __init__(
        self, graph: Graph, planner: Callable[[tuple[int, ...]], Plan], threads: int
    ) -> None:
        self.graph, self.threads = graph, threads
        self._planner = planner
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._loop = native_loop()
        self._is_closed = False
        self.plan_for(graph.input.example[1:])
        self._workers = Workers(threads) if threads > 1 else None
        if self._workers:
            weakref.finalize(self, self._workers.close)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the network's output for a batch.

        Args:
            x: (N, C, H, W) or (N, F), any real numbers; converted to float32.

        Returns:
            float32, (N, …).

        Raises:
            DataError: if that is not an array of real numbers.
            ShapeError: if the network does not take that shape.
            ProgramError: if the program is closed.
        """
        x = _real_numbers(x)
        if not self.graph.input.accepts(x.shape):
            infer_shapes(self.graph, x.shape)  # raises, saying what is expected
        with self._lock():
            plan = self.plan_for(x.shape[1:])
            y = np.empty((len(x), *plan.output_shape), np.float32)
            flat_x, flat_y = x.reshape(len(x), -1), y.reshape(len(y), -1)
            for image in range(len(x)):
                plan.input[:] = flat_x[image]
                self._run(plan)
                flat_y[image] = plan.output
        return y

    def plan_for(self, image_shape: tuple[int, ...]) -> Plan:
        """Return the plan for images of (C, H, W) or (F,), making it if it is new."""
        plan = self._plans.pop(image_shape, None) or self._planner(image_shape)
        self._plans[image_shape] = plan  # the last used stands last
        while len(self._plans) > PLANS_KEPT:
            del self._plans[next(iter(self._plans))]
        return plan

    def explain(self) -> str:
        """Return, for each layer at the example's size, what runs, what else was tried, and why."""
        with self._lock():
            plan = self.plan_for(self.graph.input.example[1:])
        return format_reports(plan.reports)

    def close(self) -> None:
        """Stop the threads; further calls raise ProgramError."""
        with self._lock():
            if self._workers and not self._is_closed:
                self._workers.close()
            self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> threading.Lock:
        """Return this process's lock: one held during a fork is never freed in the child."""
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def _run(self, plan: Plan) -> None:
        if self._is_closed:
            raise ProgramError("the program is closed", hint="compile the graph again")
        if self._workers:
            self._workers.run(plan.steps.ctypes.data, len(plan.steps))
        else:
            self._loop.repeat(plan.steps.ctypes.data, len(plan.steps), 1)


def _real_numbers(x: object) -> np.ndarray:
    """Return x as contiguous float32."""
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError("not an array", got=str(error)) from None
    if array.dtype.kind not in "fiub":
        raise DataError("not an array of real numbers", got=array.dtype)
    return np.ascontiguousarray(array, np.float32)
