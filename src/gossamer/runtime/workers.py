"""Threads that live inside native code: they spin for the next job for a while, then sleep."""

from __future__ import annotations

import os
import threading

import numpy as np

from gossamer.errors import ProgramError
from gossamer.runtime.memory import aligned_bytes
from gossamer.runtime.native import JOB, SHARED_BYTES, SPINS_BEFORE_SLEEP, native_loop


class Workers:
    """Runs tables of steps on `threads` threads: the caller's and `threads − 1` of its own.

    Not for several callers at once: the program that owns it holds a lock. After a fork the
    child's threads do not exist; running there raises ProgramError.

    Args:
        threads: ≥ 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._loop = native_loop()
        self._shared = aligned_bytes(SHARED_BYTES)
        self._job = self._shared[JOB : JOB + 8].view(np.int64)
        self._wake = [threading.Event() for _ in range(1, threads)]
        self._process = os.getpid()
        self._members = [
            threading.Thread(target=self._live, args=(i,), name=f"gossamer-{i + 1}", daemon=True)
            for i in range(threads - 1)
        ]
        for member in self._members:
            member.start()

    def run(self, steps_address: int, count: int) -> None:
        """Run `count` steps on all threads, a barrier after each; returns when all are done."""
        if os.getpid() != self._process:
            raise ProgramError(
                "this program was made before a fork, and its threads are not here",
                hint="compile it again in the child process",
            )
        announce, take_part = self._loop.announce, self._loop.run
        job = self._shared.ctypes.data, steps_address, count
        try:
            # First announce, then wake: a worker that clears its event afterwards sees the job.
            announce(*job)
            self._wake_all()
        except BaseException:
            # Ctrl-C: the workers have the job and wait for this thread at the first barrier.
            self._wake_all()
            take_part(*job, self.threads)
            raise
        take_part(*job, self.threads)

    def close(self) -> None:
        """Stop the threads."""
        if self._process != os.getpid():
            return
        self._job[0] = -1
        self._wake_all()
        for member in self._members:
            member.join()
        self._members.clear()

    def _wake_all(self) -> None:
        for event in self._wake:
            event.set()

    def _live(self, index: int) -> None:
        address, wake, seen = self._shared.ctypes.data, self._wake[index], 0
        while True:
            wake.clear()
            seen = self._loop.work(address, index + 1, self.threads, seen, SPINS_BEFORE_SLEEP)
            if seen < 0:
                return
            wake.wait()
