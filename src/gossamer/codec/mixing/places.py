"""Where contexts have their slots and weights: the map of the coder's memory."""

from __future__ import annotations

from gossamer.codec.mixing.mixer import INPUTS, NODES

# ── slots of the eight contexts of levels, NODES for each value of a context ──────
TENSOR = 0
FILTER_CHANNEL = TENSOR + NODES
KERNEL = FILTER_CHANNEL + 1024 * NODES
PLACE = KERNEL + 1024 * NODES
EXPECTED = PLACE + 1024 * NODES
BESIDE = EXPECTED + 1024 * NODES
PREDICTED = BESIDE + 512 * NODES
PREDICTION = PREDICTED + 2048 * NODES
LEVELS_END = PREDICTION + 1024 * NODES
# ── of the eight contexts of floats: as many nodes as a byte has prefixes ────────────────────
BYTE_NODES = 256
FLOATS = LEVELS_END
PLAIN_FLOATS = FLOATS + 6 * 128 * BYTE_NODES
"""Of signs and exponents that are not mixed: the slots of a context of those that are."""
FLOATS_END = FLOATS + 8 * 128 * BYTE_NODES
# ── slots that are used alone, and those that refine the mean ─────────────────────────────────────
LOW_BITS = FLOATS_END
OWN = LOW_BITS + 17 * 16
"""For each expected magnitude, a slot for each node that is coded plainly."""
FLOAT_BITS = OWN + 64 * NODES
NUMBERS = FLOAT_BITS + 32 * 8
EXPECTED_BIT = NUMBERS + 16 * 128
"""Not a slot that learns: set before each bit of a float."""
REFINE = EXPECTED_BIT + 1
"""For each node, 33 slots for means of −2048, −1920 … 2048; one more set is for floats."""
REFINE_BYTES = REFINE + NODES * 33
REFINE_TOO = REFINE_BYTES + 33
"""For sixteen classes of what is expected, as many more; and a set for each bit of a float."""
REFINE_BITS = REFINE_TOO + 16 * NODES * 33
SLOTS = REFINE_BITS + 16 * 33

# ── sets of weights ───────────────────────────────────────────────────────────────────────────────
BY_EXPECTED = 0
BY_TAP = BY_EXPECTED + 32 * NODES * INPUTS
BY_BYTE = BY_TAP + 16 * NODES * INPUTS
WEIGHTS = BY_BYTE + 2 * 16 * INPUTS
