"""Settings for all tests."""

from __future__ import annotations

import os

# Small steps gain nothing from a second thread, and wait long for it on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

# Machines are shared and slow at times: how long an example takes says nothing.
settings.register_profile("gossamer", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gossamer")
