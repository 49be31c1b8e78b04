"""Bytes → graph, trusting nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from gossamer.codec.brief import full
from gossamer.codec.container import Container, unpack
from gossamer.codec.header import Outline, describe, outline
from gossamer.codec.limits import Budget, Limits
from gossamer.codec.profile import PROFILES
from gossamer.codec.progress import Progress, side_by_side, silent, told
from gossamer.codec.section import SectionReader, Stream
from gossamer.codec.streams import FORMS
from gossamer.errors import FormatError, GossamerError, LimitExceededError
from gossamer.graph import Graph, Layout, infer_shapes, verify

_PARALLEL_BYTES = 2**18
# The first version whose header is brief.
_BRIEF = 5

Job = tuple[SectionReader, str, list[str]]


@dataclass(frozen=True)
class Section:
    """What a section was found to hold.

    Args:
        layout: kind of its tensors.
        names: of its tensors.
        streams: in order.
        size_bytes: length.
    """

    layout: str
    names: tuple[str, ...]
    streams: tuple[Stream, ...]
    size_bytes: int


@dataclass(frozen=True)
class Contents:
    """A file read completely: its graph, and where its bytes went."""

    graph: Graph
    container: Container
    sections: tuple[Section, ...]


def decode(
    data: bytes | memoryview, limits: Limits | None = None, progress: Progress = silent
) -> Graph:
    """Return the graph that `encode` was given, bit for bit.

    Args:
        data: a `.goss` file.
        limits: how much the file may ask for; default `Limits()`.
        progress: told (bytes read, bytes in all) after each section; what it raises cancels.

    Raises:
        FormatError: or one of its subclasses, for any bytes that are not a well-formed file within
            the limits.
    """
    return read_contents(data, limits or Limits(), progress).graph


def read_contents(
    data: bytes | memoryview, limits: Limits, progress: Progress = silent
) -> Contents:
    """Return all that a file holds; raises as `decode` does."""
    container = unpack(data, limits)
    try:
        return _read(container, limits, Budget(limits, memoryview(data).nbytes), progress)
    except FormatError:
        raise
    except (GossamerError, ArithmeticError, ValueError) as error:
        # A hostile header reaches into the operators' own checks, which raise their own errors.
        problem = error.problem if isinstance(error, GossamerError) else str(error)
        where = error.where if isinstance(error, GossamerError) else "header"
        raise FormatError(f"not a well-formed network: {problem}", where=where) from None


def _read(container: Container, limits: Limits, budget: Budget, progress: Progress) -> Contents:
    if container.version >= _BRIEF:
        container = replace(container, header=full(container.header, budget.take))
    outlined = outline(container.header, limits, budget)
    plan = _plan(container, len(outlined.tensors))
    names = list(outlined.tensors)
    weights: dict[str, Layout] = {}
    sections: list[Section] = []
    jobs: list[Job] = [
        (SectionReader(data, budget, container.version), kind, [names[n] for n in numbers])
        for (kind, numbers), data in zip(plan, container.sections, strict=True)
    ]
    for (reader, kind, held), layouts in zip(
        jobs, _read_all(jobs, outlined, progress), strict=True
    ):
        weights.update(zip(held, layouts, strict=True))
        sections.append(Section(kind, tuple(held), tuple(reader.streams), len(reader.data)))
    graph = _checked(outlined, {name: weights[name] for name in names}, limits)
    if describe(graph) != {
        key: value for key, value in container.header.items() if key not in ("sections", "profile")
    }:
        raise FormatError("the header says more than the network holds", where="header")
    return Contents(graph, container, tuple(sections))


def _plan(container: Container, tensors: int) -> list[tuple[str, list[int]]]:
    """Return (layout, tensor numbers) of each section, every tensor in exactly one."""
    items = container.header.get("sections")
    if not isinstance(items, list) or len(items) != len(container.sections):
        raise FormatError("one entry a section", where="header", expected=len(container.sections))
    plan = [_plan_section(item) for item in items]
    if sorted(number for _, numbers in plan for number in numbers) != list(range(tensors)):
        raise FormatError("every tensor lies in exactly one section", where="header")
    _check_version(container, [kind for kind, _ in plan])
    return plan


def _check_version(container: Container, kinds: list[str]) -> None:
    """From version 3 on a file says its profile; before, it is the first that has its sections."""
    profile = container.header.get("profile")
    if container.version < 3:
        known = max((FORMS[kind].since for kind in kinds), default=1) == container.version
        known = known and "profile" not in container.header
    else:
        known = isinstance(profile, str) and profile in PROFILES
    if not known:
        raise FormatError(
            "not what this version has", where="header", got=(container.version, kinds, profile)
        )


def _read_all(jobs: Sequence[Job], outlined: Outline, progress: Progress) -> list[list[Layout]]:
    """Read all sections, large ones side by side: native loops release the interpreter lock."""

    def read(job: Job) -> list[Layout]:
        return _read_section(*job, outlined)

    sizes = [len(reader.data) for reader, _, _ in jobs]
    if len(jobs) == 1 or sum(sizes) < _PARALLEL_BYTES:
        return [read(job) for job in told(jobs, sizes, progress)]
    return side_by_side(read, jobs, sizes, progress)


def _plan_section(item: Any) -> tuple[str, list[int]]:
    match item:
        case [str(kind), [*numbers]] if kind in FORMS and all(
            type(number) is int for number in numbers
        ):
            if numbers and (FORMS[kind].shared or len(numbers) == 1):
                return kind, numbers
    raise FormatError(
        "not a section", where="header", got=str(item)[:80], expected=f"a layout of {list(FORMS)}"
    )


def _read_section(
    reader: SectionReader, kind: str, names: Sequence[str], outlined: Outline
) -> list[Layout]:
    try:
        layouts = FORMS[kind].read(reader, [outlined.tensors[name] for name in names])
        reader.finish()
    except FormatError as error:
        if error.where is None:
            error.where = f"weight {names[0]!r}"
        raise
    return layouts


def _checked(outlined: Outline, weights: dict[str, Layout], limits: Limits) -> Graph:
    """Return the graph, verified, none of its values larger than the limit."""
    graph = Graph(
        outlined.input, outlined.nodes, outlined.output, weights, outlined.record, outlined.name
    )
    verify(graph)
    for name, shape in infer_shapes(graph).items():
        if prod(shape) > limits.entries:
            raise LimitExceededError(
                "a value is too large", where=f"node {name!r}", expected=f"≤ {limits.entries}"
            )
    return graph
