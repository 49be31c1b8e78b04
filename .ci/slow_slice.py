"""Run a random slice of the slow tests within a time box; the seed is printed to repeat it."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time


def main() -> int:
    """Return the worst exit status of the tests that ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    tests = slow_tests()
    random.Random(options.seed).shuffle(tests)
    print(
        f"slow slice: {len(tests)} tests, {options.minutes} minutes, --seed {options.seed}",
        flush=True,
    )
    deadline, status, ran = time.monotonic() + 60 * options.minutes, 0, 0
    for test in tests:
        left = deadline - time.monotonic()
        if left < 10:
            break
        status = max(status, run(test, left))
        ran += 1
    print(f"slow slice: ran {ran} of {len(tests)}", flush=True)
    return status


def slow_tests() -> list[str]:
    """Return the names of all slow tests."""
    # -v against the -q of the project's options: one line a test.
    command = [sys.executable, "-m", "pytest", "-m", "slow", "--collect-only", "-v", "-q"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    tests = [line for line in listing.splitlines() if "::" in line]
    if not tests:
        raise SystemExit(f"slow slice: no slow tests found\n{listing}")
    return tests


def run(test: str, seconds: float) -> int:
    """Run one test; one that is cut off by the time box does not fail."""
    try:
        command = [sys.executable, "-m", "pytest", "-m", "slow", "-q", test]
        return subprocess.run(command, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"slow slice: out of time in {test}", flush=True)
        return 0


if __name__ == "__main__":
    sys.exit(main())
