"""The native loop that runs a list of kernels, and the one that worker threads live in.

The list is a table of steps, 16 bytes each: the kernel's address and its arguments' address. The
shared block keeps one cache line a field, so that spinning threads do not disturb each other.

While kernels run, the processor takes numbers below the smallest normal one (1.2·10⁻³⁸) as zero:
some processors need a hundred cycles for each of them. The caller's mode is restored.

Systems wake a worker on the processor of its caller now and then, where both would wait for each
other's share of time; a worker that finds itself there moves to another processor (Linux).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gossamer.jit.function import INT64, POINTER, native_function

if TYPE_CHECKING:
    from gossamer.jit.target import Target

SHARED_BYTES = 256
JOB = 128
"""Offset of the number of runs started; −1 tells the workers to stop."""
STEP_BYTES = 16
SPINS_BEFORE_SLEEP = 20_000
"""Turns that an idle worker spins before it goes back to Python to sleep: about 0.5 ms."""


@dataclass(frozen=True)
class NativeLoop:
    """Entry points of the loop; each call from Python releases the interpreter lock.

    Args:
        announce: (shared, steps, count): make a job known to the workers.
        run: (shared, steps, count, threads): take part in the announced job as thread 0.
        work: (shared, thread, threads, seen, spins) → last job seen: take part in jobs until
            `spins` turns pass without one, or until told to stop (−1).
        repeat: (steps, count, times): run steps on one thread, many times, for measuring.
    """

    announce: Callable[[int, int, int], int]
    run: Callable[[int, int, int, int], int]
    work: Callable[[int, int, int, int, int], int]
    repeat: Callable[[int, int, int], int]


@lru_cache(maxsize=1)
def native_loop() -> NativeLoop:
    """Compile the loop for this machine, once a process."""
    # LLVM takes longer to import than all of the runtime; who only imports does not wait for it.
    from gossamer.jit.target import host_target
    from gossamer.jit.toolchain import compile_ir

    target = host_target()
    code = compile_ir(_loop_ir(target), target)
    return NativeLoop(
        announce=native_function(code, "announce", None, POINTER, POINTER, INT64),
        run=native_function(code, "run", None, POINTER, POINTER, INT64, INT64),
        work=native_function(code, "work", INT64, POINTER, INT64, INT64, INT64, INT64),
        repeat=native_function(code, "repeat", None, POINTER, INT64, INT64),
    )


def _loop_ir(target: Target) -> str:
    x86 = target.triple.startswith(("x86_64", "i686"))
    posix = "windows" not in target.triple
    declarations = _control_ir(target.triple)
    declarations += _ASIDE_LINUX if "linux" in target.triple else _ASIDE_NOWHERE
    declarations += "declare void @llvm.x86.sse2.pause()\n" if x86 else ""
    # Where there are more threads than processors, a barrier must let the others run.
    declarations += "declare i32 @sched_yield()\n" if posix else ""
    loop = _LOOP.replace("PAUSE", "call void @llvm.x86.sse2.pause()" if x86 else "")
    return declarations + loop.replace("YIELD", "call i32 @sched_yield()" if posix else "")


def _control_ir(triple: str) -> str:
    """Return `@control` and `@set_control`, of the register that says how floats are computed."""
    if triple.startswith(("x86_64", "i686")):
        return _CONTROL_X86 + _FLUSHING.format(bits=0x8040)  # flush results, and take as zero
    if triple.startswith(("aarch64", "arm64")):
        return _CONTROL_ARM + _FLUSHING.format(bits=1 << 24)  # both
    return _CONTROL_UNKNOWN + _FLUSHING.format(bits=0)


_CONTROL_X86 = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define private i64 @control() {
  %at = alloca i32, align 4
  call void @llvm.x86.sse.stmxcsr(ptr %at)
  %control = load i32, ptr %at, align 4
  %wide = zext i32 %control to i64
  ret i64 %wide
}
define private void @set_control(i64 %wide) {
  %at = alloca i32, align 4
  %control = trunc i64 %wide to i32
  store i32 %control, ptr %at, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %at)
  ret void
}
"""
_CONTROL_ARM = """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define private i64 @control() {
  %control = call i64 @llvm.aarch64.get.fpcr()
  ret i64 %control
}
define private void @set_control(i64 %control) {
  call void @llvm.aarch64.set.fpcr(i64 %control)
  ret void
}
"""
_CONTROL_UNKNOWN = """
define private i64 @control() {
  ret i64 0
}
define private void @set_control(i64 %control) {
  ret void
}
"""
_FLUSHING = """
define private i64 @flush() {{
  %before = call i64 @control()
  %flushing = or i64 %before, {bits}
  call void @set_control(i64 %flushing)
  ret i64 %before
}}
"""

_ASIDE_LINUX = """
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
define private i64 @processor() {
  %number = call i32 @sched_getcpu()
  %wide = sext i32 %number to i64
  ret i64 %wide
}
define private void @step_aside(i64 %theirs) {
  %all = alloca [128 x i8], align 8
  %others = alloca [128 x i8], align 8
  %mine = call i64 @processor()
  %here = icmp eq i64 %mine, %theirs
  %known = icmp ult i64 %mine, 1024
  %shared = and i1 %here, %known
  br i1 %shared, label %move, label %stay
move:
  %got = call i32 @sched_getaffinity(i32 0, i64 128, ptr %all)
  %too = call i32 @sched_getaffinity(i32 0, i64 128, ptr %others)
  %failed = icmp slt i32 %got, 0
  br i1 %failed, label %stay, label %leave
leave:
  %byte = lshr i64 %mine, 3
  %low = and i64 %mine, 7
  %shift = trunc i64 %low to i8
  %bit = shl i8 1, %shift
  %rest = xor i8 %bit, -1
  %at = getelementptr i8, ptr %others, i64 %byte
  %before = load i8, ptr %at
  %after = and i8 %before, %rest
  store i8 %after, ptr %at
  %moved = call i32 @sched_setaffinity(i32 0, i64 128, ptr %others)
  %free = call i32 @sched_setaffinity(i32 0, i64 128, ptr %all)
  br label %stay
stay:
  ret void
}
"""
_ASIDE_NOWHERE = """
define private i64 @processor() {
  ret i64 -1
}
define private void @step_aside(i64 %theirs) {
  ret void
}
"""

# Threads meet after each step, and once in a job of none: who met them has read the job, and the
# next may be announced.
# Shared block: 0 threads arrived at the barrier, 64 barriers passed, 128 job, 192 steps, 200 count,
# 208 the caller's processor.
_LOOP = """
define private void @barrier(ptr %shared, i64 %threads) {
  %phase_at = getelementptr i8, ptr %shared, i64 64
  %phase = load atomic i64, ptr %phase_at acquire, align 8
  %before = atomicrmw add ptr %shared, i64 1 seq_cst
  %arrived = add i64 %before, 1
  %last = icmp eq i64 %arrived, %threads
  br i1 %last, label %release, label %wait
release:
  store atomic i64 0, ptr %shared release, align 8
  %next = add i64 %phase, 1
  store atomic i64 %next, ptr %phase_at release, align 8
  ret void
wait:
  %turn = phi i64 [1, %0], [%next_turn, %still]
  PAUSE
  %now = load atomic i64, ptr %phase_at acquire, align 8
  %same = icmp eq i64 %now, %phase
  br i1 %same, label %wait_on, label %passed
wait_on:
  %low = and i64 %turn, 1023
  %tired = icmp eq i64 %low, 0
  br i1 %tired, label %yield, label %still
yield:
  YIELD
  br label %still
still:
  %next_turn = add i64 %turn, 1
  br label %wait
passed:
  ret void
}

define private void @call_step(ptr %steps, i64 %index, i64 %thread) {
  %offset = mul i64 %index, 16
  %step = getelementptr i8, ptr %steps, i64 %offset
  %kernel = load ptr, ptr %step, align 8
  %arguments_at = getelementptr i8, ptr %step, i64 8
  %arguments = load ptr, ptr %arguments_at, align 8
  call void %kernel(ptr %arguments, i64 %thread)
  ret void
}

define private void @run_steps(ptr %shared, ptr %steps, i64 %count, i64 %thread, i64 %threads) {
entry:
  %together = icmp sgt i64 %threads, 1
  %nothing = icmp eq i64 %count, 0
  %seen = and i1 %together, %nothing
  br i1 %seen, label %meet_once, label %begin
meet_once:
  call void @barrier(ptr %shared, i64 %threads)
  br label %begin
begin:
  br label %next
next:
  %index = phi i64 [0, %begin], [%following, %done]
  %more = icmp slt i64 %index, %count
  br i1 %more, label %step, label %end
step:
  call void @call_step(ptr %steps, i64 %index, i64 %thread)
  br i1 %together, label %meet, label %done
meet:
  call void @barrier(ptr %shared, i64 %threads)
  br label %done
done:
  %following = add i64 %index, 1
  br label %next
end:
  ret void
}

define void @announce(ptr %shared, ptr %steps, i64 %count) {
  %steps_at = getelementptr i8, ptr %shared, i64 192
  store ptr %steps, ptr %steps_at, align 8
  %count_at = getelementptr i8, ptr %shared, i64 200
  store i64 %count, ptr %count_at, align 8
  %processor_at = getelementptr i8, ptr %shared, i64 208
  %processor = call i64 @processor()
  store i64 %processor, ptr %processor_at, align 8
  %job_at = getelementptr i8, ptr %shared, i64 128
  %job = load i64, ptr %job_at, align 8
  %next = add i64 %job, 1
  store atomic i64 %next, ptr %job_at release, align 8
  ret void
}

define void @run(ptr %shared, ptr %steps, i64 %count, i64 %threads) {
  %control = call i64 @flush()
  call void @run_steps(ptr %shared, ptr %steps, i64 %count, i64 0, i64 %threads)
  call void @set_control(i64 %control)
  ret void
}

define i64 @work(ptr %shared, i64 %thread, i64 %threads, i64 %first, i64 %spins) {
entry:
  %control = call i64 @flush()
  %job_at = getelementptr i8, ptr %shared, i64 128
  %steps_at = getelementptr i8, ptr %shared, i64 192
  %count_at = getelementptr i8, ptr %shared, i64 200
  %processor_at = getelementptr i8, ptr %shared, i64 208
  br label %poll
poll:
  %seen = phi i64 [%first, %entry], [%job, %take_part], [%seen, %idle]
  %turns = phi i64 [0, %entry], [0, %take_part], [%more, %idle]
  %job = load atomic i64, ptr %job_at acquire, align 8
  %nothing = icmp eq i64 %job, %seen
  br i1 %nothing, label %idle, label %found
found:
  %stop = icmp slt i64 %job, 0
  br i1 %stop, label %leave, label %take_part
take_part:
  %steps = load ptr, ptr %steps_at, align 8
  %count = load i64, ptr %count_at, align 8
  %processor = load i64, ptr %processor_at, align 8
  call void @step_aside(i64 %processor)
  call void @run_steps(ptr %shared, ptr %steps, i64 %count, i64 %thread, i64 %threads)
  br label %poll
idle:
  PAUSE
  %more = add i64 %turns, 1
  %patient = icmp slt i64 %more, %spins
  br i1 %patient, label %poll, label %leave
leave:
  call void @set_control(i64 %control)
  ret i64 %job
}

define void @repeat(ptr %steps, i64 %count, i64 %times) {
entry:
  %control = call i64 @flush()
  br label %again
again:
  %turn = phi i64 [0, %entry], [%following, %once]
  %more = icmp slt i64 %turn, %times
  br i1 %more, label %once, label %end
once:
  call void @run_steps(ptr null, ptr %steps, i64 %count, i64 0, i64 1)
  %following = add i64 %turn, 1
  br label %again
end:
  call void @set_control(i64 %control)
  ret void
}
"""
