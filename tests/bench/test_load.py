import os

import pytest

from gossamer.bench.load import busy_ticks, own_ticks, watch_load


def test_idle_time_and_guests_are_not_busy():
    assert busy_ticks("cpu  1 2 4 1000 1000 8 16 32 64 128\nintr 5") == 1 + 2 + 4 + 8 + 16 + 32


def test_descendants_are_ours_and_others_are_not():
    processes = {1: (0, 1), 2: (1, 10), 3: (2, 100), 4: (3, 1000), 5: (1, 5)}
    assert own_ticks(processes, 2) == 1110
    assert own_ticks(processes, 4) == 1000


def write_proc(folder, *, busy, own, child):
    """Write what the kernel would say: ticks of the machine, of us, and of a child of ours."""
    (folder / "stat").write_text(f"cpu {busy} 0 0 5000 0 0 0 0 0 0\n")
    for number, parent, ticks in ((os.getpid(), 1, own), (77, os.getpid(), child), (1, 0, 9999)):
        (folder / str(number)).mkdir(exist_ok=True)
        line = f"{number} (a (b) c) S {parent} {'0 ' * 9}{ticks} 0 0 0 20 0\n"
        (folder / str(number) / "stat").write_text(line)


def test_what_neither_we_nor_our_children_did_is_foreign(monkeypatch, tmp_path):
    seconds = iter([0.0, 2.0])
    monkeypatch.setattr("gossamer.bench.load._PROC", tmp_path)
    monkeypatch.setattr("gossamer.bench.load.perf_counter", lambda: next(seconds))
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    write_proc(tmp_path, busy=10_000, own=500, child=50)
    with watch_load() as load:
        assert load.mean is None
        write_proc(tmp_path, busy=10_400, own=600, child=150)
    assert load.mean == pytest.approx((400 - 100 - 100) / 100 / 2)


def test_nothing_is_known_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr("gossamer.bench.load._PROC", tmp_path)
    with watch_load() as load:
        pass
    assert load.mean is None
