from gossamer.bench.engines import ENGINES
from gossamer.bench.suite.cap import CAPS


def test_who_cannot_be_held_is_an_engine():
    assert all(set(cap.unable) <= set(ENGINES) for cap in CAPS.values())


def test_who_asks_the_processor_is_not_measured_as_another_class():
    assert not CAPS["host"].unable
    assert "onnxruntime" in CAPS["avx2"].unable
