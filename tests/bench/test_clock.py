import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.bench.clock import Protocol, Timing, speedup, time_interleaved
from gossamer.errors import SpecError


class FakeClock:
    """Time that passes only when a call says so."""

    def __init__(self):
        self.now_ns = 0
        self.log = []

    def __call__(self):
        return self.now_ns

    def work(self, name, ms):
        def call():
            self.log.append(name)
            self.now_ns += round(ms * 1e6)

        return call


def measure(calls, protocol):
    clock = FakeClock()
    work = {name: clock.work(name, ms) for name, ms in calls.items()}
    return time_interleaved(work, protocol, clock=clock), clock


def test_the_time_of_each_call_is_found_exactly():
    timings, _ = measure({"short": 0.125, "long": 8.0}, Protocol(rounds=5, sample_ms=2.0))
    assert timings["short"].times_ms == (0.125,) * 5
    assert timings["long"].times_ms == (8.0,) * 5


def test_a_sample_is_as_many_repeats_as_the_clock_needs():
    timings, _ = measure({"short": 0.125, "long": 8.0}, Protocol(rounds=1, sample_ms=2.0))
    assert (timings["short"].repeats, timings["long"].repeats) == (16, 1)


def test_calls_take_turns_and_the_order_is_reversed_every_round():
    _, clock = measure({"a": 4.0, "b": 4.0}, Protocol(rounds=3, sample_ms=2.0, warm_up_ms=0))
    settled = clock.log[2:]  # one call each settles the repeats
    assert settled == ["a", "a", "b", "b", "b", "b", "a", "a", "a", "a", "b", "b"]


def test_each_call_is_warmed_up():
    _, clock = measure({"a": 1.0}, Protocol(rounds=1, sample_ms=1.0, warm_up_ms=50))
    assert clock.log.count("a") >= 50


def test_progress_is_reported_once_a_sample():
    ticks = []
    time_interleaved(
        {"a": int, "b": int}, Protocol(3, 0.01, 0.0), advance=lambda: ticks.append(None)
    )
    assert len(ticks) == 6


@pytest.mark.parametrize(
    "options", [{"rounds": 0}, {"sample_ms": 0.0}, {"warm_up_ms": -1.0}, {"rest_ms": -1.0}]
)
def test_protocols_out_of_range_are_refused(options):
    with pytest.raises(SpecError):
        Protocol(**options)


def test_median_minimum_and_quartiles():
    timing = Timing("x", (5.0, 1.0, 2.0, 3.0, 4.0), 1)
    assert (timing.median_ms, timing.min_ms, timing.quartiles_ms) == (3.0, 1.0, (2.0, 4.0))


def test_speed_is_compared_within_rounds_not_between_medians():
    # A machine twice as slow in every other round: each pair still says exactly 2.
    fast = Timing("fast", (1.0, 2.0, 1.0, 2.0), 1)
    slow = Timing("slow", (2.0, 4.0, 2.0, 4.0), 1)
    assert str(speedup(fast, slow)) == "2.00× (2.00–2.00)"


def test_timings_of_other_rounds_are_not_compared():
    with pytest.raises(SpecError, match="rounds"):
        speedup(Timing("a", (1.0,), 1), Timing("b", (1.0, 2.0), 1))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=9), st.floats(0.1, 10))
def test_speedup_of_a_multiple_is_that_multiple(times_ms, factor):
    fast = Timing("a", tuple(times_ms), 1)
    slow = Timing("b", tuple(time_ms * factor for time_ms in times_ms), 1)
    result = speedup(fast, slow)
    assert result.low == pytest.approx(factor)
    assert result.high == pytest.approx(factor)
    assert result.low <= result.median <= result.high


class FarAway:
    """A call that knows its own time, whatever our clock says."""

    def __call__(self):
        return None

    def elapsed_ns(self, repeats):
        return repeats * 5_000_000


def test_a_call_that_times_itself_is_believed():
    clock = FakeClock()
    calls = {"far": FarAway(), "near": clock.work("near", 3.0)}
    timings = time_interleaved(calls, Protocol(rounds=2), clock=clock)
    assert timings["far"].times_ms == (5.0, 5.0)
    assert timings["near"].times_ms == (3.0, 3.0)


def failing(after: int):
    """Return a call that fails after so many."""
    calls = iter(range(after))

    def call():
        if next(calls, None) is None:
            raise OSError("gone")

    return call


def test_a_failure_ends_the_timing_unless_it_is_taken():
    with pytest.raises(OSError, match="gone"):
        time_interleaved({"bad": failing(0)}, Protocol(rounds=1))


@pytest.mark.parametrize("after", [0, 1, 7])
def test_a_call_that_fails_is_left_out(after):
    clock, failures, ticks = FakeClock(), {}, []
    calls = {"a": clock.work("a", 3.0), "bad": failing(after), "c": clock.work("c", 4.0)}
    protocol = Protocol(rounds=5, sample_ms=1e-9, warm_up_ms=0)
    timings = time_interleaved(
        calls, protocol, failed=failures.__setitem__, advance=lambda: ticks.append(None)
    )
    assert list(timings) == ["a", "c"]
    assert [len(timing.times_ms) for timing in timings.values()] == [5, 5]
    assert list(failures) == ["bad"]
    assert 10 <= len(ticks) <= 15
