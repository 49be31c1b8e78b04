"""The ledger of a compression: what was asked of each pass, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gossamer.compress.measure import Measurement


@dataclass(frozen=True)
class LedgerEntry:
    """One pass.

    Args:
        name: of the pass.
        asked: its options.
        got: what the pass says came of them.
        before: the network as the pass found it.
        after: the network as the pass left it.
        accuracy_before: 0…1, or None where nothing measured it.
        accuracy_after: likewise.
        time_s: seconds, evaluation included.
        notes: layer → what the pass says about it.
    """

    name: str
    asked: Mapping[str, Any]
    got: Mapping[str, float]
    before: Measurement
    after: Measurement
    accuracy_before: float | None
    accuracy_after: float | None
    time_s: float
    notes: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LedgerEntry:
        """Rebuild from `to_dict()`."""
        whole = {key: Measurement.from_dict(data[key]) for key in ("before", "after")}
        return cls(**{**data, **whole})

    def __str__(self) -> str:
        asked = ", ".join(f"{key} {self.asked[key]}" for key in self.asked if key != "training")
        got = ", ".join(f"{key} {value:.6g}" for key, value in self.got.items())
        return (
            f"{self.name}: asked {asked}; got {got}; "
            f"accuracy {_percent(self.accuracy_before)} → {_percent(self.accuracy_after)}; "
            f"nonzeros {self.before.nonzeros:,} → {self.after.nonzeros:,}; "
            f"effective MACs {self.before.effective_macs:,} → {self.after.effective_macs:,}; "
            f"{self.time_s:.1f} s" + "".join(f"\n  {k}: {v}" for k, v in self.notes.items())
        )


@dataclass(frozen=True)
class Ledger:
    """All passes, in order."""

    entries: tuple[LedgerEntry, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"entries": [entry.to_dict() for entry in self.entries]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """Rebuild from `to_dict()`."""
        return cls(tuple(LedgerEntry.from_dict(entry) for entry in data["entries"]))

    def __str__(self) -> str:
        return "\n".join(str(entry) for entry in self.entries)


def _percent(accuracy: float | None) -> str:
    return "not measured" if accuracy is None else f"{accuracy:.2%}"
