"""The engines that can be measured against each other, one a file."""

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.registry import Registry

ENGINES = Registry(
    "engine",
    {
        "gossamer": "gossamer.bench.engines.gossamer:Gossamer",
        "onnxruntime": "gossamer.bench.engines.onnxruntime:OnnxRuntime",
        "openvino": "gossamer.bench.engines.openvino:OpenVino",
        "torch": "gossamer.bench.engines.torch:Torch",
    },
)

__all__ = ["ENGINES", "Engine", "Subject"]
