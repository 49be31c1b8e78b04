"""A compiled network that can be called."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Self

import numpy as np

from gossamer.errors import DataError, ProgramError
from gossamer.graph.graph import Graph
from gossamer.graph.ops import Quantise
from gossamer.graph.verify import infer_shapes
from gossamer.runtime.explain import Measured, format_plan
from gossamer.runtime.in_place import step_times_us
from gossamer.runtime.native import native_loop
from gossamer.runtime.packs import PackedTail, Packs
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
        planner: image shape → plan; with `keep_infinities=True`, one that does.
        threads: that run it at most, ≥ 1; each plan says how many run it.
        packs: how its tail runs for several images of a batch at once; None: it does not.

    Attributes:
        graph: what it computes.
        threads: that run it at most.
    """

    def __init__(
        self,
        graph: Graph,
        planner: Callable[..., Plan],
        threads: int,
        packs: Packs | None = None,
    ) -> None:
        self.graph, self.threads = graph, threads
        self._planner = planner
        self._tail = PackedTail(packs) if packs else None
        self._hides = any(isinstance(node.op, Quantise) for node in graph.nodes)
        self._plans: dict[tuple[tuple[int, ...], bool], Plan] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._loop = native_loop()
        self._is_closed = False
        self._workers: dict[int, Workers] = {}
        weakref.finalize(self, _close_all, self._workers)
        self.plan_for(graph.input.example[1:])

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
            images, answers = x.reshape(len(x), -1), y.reshape(len(x), -1)
            ran = self._answer_all(plan, images, answers)
            if all(made.keeps_infinities for made in ran):
                return y
            hides = self._hides or not all(made.keeps_nan for made in ran)
            for image, answer in zip(images, answers, strict=True):
                if not _is_finite(answer) or (hides and not _is_finite(image)):
                    # What became NaN may be an infinity on the way, or the zero that follows it.
                    careful = self.plan_for(x.shape[1:], keep_infinities=True)
                    self._answer(careful, image, answer)
        return y

    def _answer_all(self, plan: Plan, images: np.ndarray, answers: np.ndarray) -> list[Plan]:
        """Answer a batch and return the plans that ran."""
        ran, done = [plan], 0
        for count, tail in self._tail.cut(plan, len(images)) if self._tail else ():
            part = slice(done, done + count)
            self._answer_pack(plan, tail, images[part], answers[part])
            ran.append(tail)
            done += count
        for image, answer in zip(images[done:], answers[done:], strict=True):
            self._answer(plan, image, answer)
        return ran

    def _answer_pack(self, plan: Plan, tail: Plan, images: np.ndarray, answers: np.ndarray) -> None:
        """Run what is before the tail image by image, then the tail once."""
        assert self._tail
        assert plan.border  # for the type checker: there are no packs without
        steps, values = plan.border.steps, plan.border.values
        rows = self._tail.rows(len(tail.input) // len(values), len(values))
        for image, row in zip(images, rows, strict=False):
            if steps:
                plan.input[:] = image
                self._run_steps(plan, plan.job[0], steps)
            row[:] = values if steps else image
        tail.input.reshape(len(values), -1)[:] = rows.T
        self._hire(tail)
        self._run_steps(tail, *tail.job)
        answers[:] = tail.output.reshape(-1, len(rows))[:, : len(answers)].T

    def _answer(self, plan: Plan, image: np.ndarray, answer: np.ndarray) -> None:
        plan.input[:] = image
        self._run_steps(plan, *plan.job)
        answer[:] = plan.output

    def plan_for(self, image_shape: tuple[int, ...], *, keep_infinities: bool = False) -> Plan:
        """Return the plan for images of (C, H, W) or (F,), making it if it is new.

        Args:
            image_shape: of one image.
            keep_infinities: give one whose kernels all keep them, maybe a slower one.
        """
        key = image_shape, keep_infinities
        plan = self._plans.pop(key, None) or self._planner(
            image_shape, keep_infinities=keep_infinities
        )
        self._hire(plan)
        self._plans[key] = plan  # the last used stands last
        while len(self._plans) > PLANS_KEPT:
            del self._plans[next(iter(self._plans))]
        return plan

    def _hire(self, plan: Plan) -> None:
        """See to it that a plan's threads are there."""
        if plan.threads > 1 and plan.threads not in self._workers and not self._is_closed:
            self._workers[plan.threads] = Workers(plan.threads)

    def explain(self, *, measure: bool = True) -> str:
        """Return how many threads run the example's size, and for each layer what runs and why.

        Args:
            measure: time each layer where it stands, and say which share that is of what the
                processor does at best, and of the layer's bound (`gossamer.runtime.bounds`); takes
                a second or so, the processor's limits are measured once a process. Otherwise times
                are those by which kernels were chosen, of layers that had a choice.

        Raises:
            ProgramError: if the program is closed and was to be measured.
        """
        with self._lock():
            plan = self.plan_for(self.graph.input.example[1:])
            text = format_plan(plan, self._measure(plan) if measure else None)
            return f"{text}\n{self._tail}" if self._tail else text

    def _measure(self, plan: Plan) -> Measured:
        # Most programs are never explained, and do not wait for LLVM.
        from gossamer.jit.limits import machine_limits

        times_us, whole_us = step_times_us(plan, partial(self._run_steps, plan))
        return Measured(times_us, whole_us, machine_limits(plan.target))

    def close(self) -> None:
        """Stop the threads; further calls raise ProgramError."""
        with self._lock():
            self._is_closed = True
            _close_all(self._workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> threading.Lock:
        """Return this process's lock: one held during a fork is never freed in the child."""
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def _run_steps(self, plan: Plan, first: int, count: int) -> None:
        """Run some steps of a plan."""
        if self._is_closed:
            raise ProgramError("the program is closed", hint="compile the graph again")
        if plan.threads > 1:
            self._workers[plan.threads].run(first, count)
        else:
            self._loop.repeat(first, count, 1)


def _close_all(workers: dict[int, Workers]) -> None:
    while workers:
        workers.popitem()[1].close()


def _is_finite(numbers: np.ndarray) -> bool:
    return bool(np.isfinite(numbers).all())


def _real_numbers(x: object) -> np.ndarray:
    """Return x as contiguous float32."""
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError("not an array", got=str(error)) from None
    if array.dtype.kind not in "fiub":
        raise DataError("not an array of real numbers", got=array.dtype)
    if array.dtype == np.float32:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):  # what float32 does not hold is an infinity there
        return np.ascontiguousarray(array, np.float32)
