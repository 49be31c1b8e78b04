"""The least time that a machine's limits allow each step of a plan: a small, optimistic model.

Three things bound a step, and the slowest of them is its bound:

- arithmetic: the multiply-accumulates of the weight's nonzeros, in full vectors, or those of the
  way that makes the fewest (Winograd's needs a half to a quarter); lanes that hold no pixel, and
  sums made twice, count as losses, not as work. Those of codes go at the speed of the target's
  fastest way to multiply bytes (`Limits.codes`), also where the kernel needs a slower one; zeros in
  quads that are multiplied, and making bytes ready and rounding sums, are losses, too;
- reads: each of them takes a number from memory, at best from the first cache; where rows share
  their taps, one read serves several. Of all ways to run the step, the one with the fewest counts.
  A quad of codes is one number, whose nonzeros one read serves;
- traffic: what it reads and writes of activations, and its own tables (weights, offsets), come from
  afar. Numbers that were read since in a set of S bytes cannot come faster than from S bytes that
  are walked in turns: for each measured amount of data, all sets of at least this size are taken
  together, at the speed of this amount. Activations are a set by themselves, as if the step before
  had left them in the nearest cache that holds them; tables are used once a run, so that their set
  is the whole program.

The bound is that of this program's way of working: a copy between two layouts has one, too. Padding
is counted as pixels, as in the number of MACs. Speeds of one thread are taken times the threads,
also for the memory that they share: the bound of several threads may be too low, never too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossamer.runtime.plan import Plan, StepReport

if TYPE_CHECKING:
    from gossamer.jit.limits import Limits

_NUMBER_BYTES = 4
_FLOATS, _CODES = "f32-", "u8-"
"""How kernels are named that multiply floats, and bytes."""


def step_bounds_us(plan: Plan, limits: Limits) -> list[float | None]:
    """Return the bound of each step in microseconds; None where its arithmetic was not measured."""
    program_bytes = plan.arena.nbytes + sum(table.nbytes for table in plan.tables)
    return [
        None
        if (speed := peak(report, limits)) is None
        else _bound_us(report, limits, speed, program_bytes) / plan.threads
        for report in plan.reports
    ]


def peak(report: StepReport, limits: Limits) -> float | None:
    """Return the speed of one thread in registers, in 10⁹ a second, of what a step multiplies.

    None where it was not measured.
    """
    if report.kernel.startswith(_CODES):
        return limits.codes
    return limits.arithmetic if report.kernel.startswith(_FLOATS) else None


def plan_bound_us(plan: Plan, limits: Limits) -> float | None:
    """Return the bound of all steps, one after the other; None if one has none."""
    bounds = step_bounds_us(plan, limits)
    known = [bound for bound in bounds if bound is not None]
    return sum(known) if len(known) == len(bounds) else None


def _bound_us(report: StepReport, limits: Limits, speed: float, program_bytes: int) -> float:
    """Return the bound of a step on one thread, in microseconds."""
    nearest = limits.reading[min(limits.reading)]
    activation_bytes = _NUMBER_BYTES * report.numbers
    sets = ((activation_bytes, activation_bytes), (report.table_bytes, program_bytes))
    traffic = (
        sum(part for part, whole in sets if whole >= size) / (_NUMBER_BYTES * numbers)
        for size, numbers in limits.reading.items()
    )
    macs = report.effective_macs if report.least_macs is None else report.least_macs
    arithmetic = macs / speed
    return 1e-3 * max(arithmetic, report.reads / nearest, *traffic)
