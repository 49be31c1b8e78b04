"""The engines that can be measured against each other, one a file."""

from gossamer.bench.engines.engine import Engine, Subject
from gossamer.registry import Registry

ENGINES = Registry(
    "engine",
    {
        "gossamer": "gossamer.bench.engines.gossamer:Gossamer",
        "onnxruntime": "gossamer.bench.engines.onnxruntime:OnnxRuntime",
        "openvino": "gossamer.bench.engines.openvino:OpenVino",
        "onnxruntime-int8": "gossamer.bench.engines.onnxruntime:OnnxRuntimeInt8",
        "openvino-int8": "gossamer.bench.engines.openvino:OpenVinoInt8",
        "mnn": "gossamer.bench.engines.mnn:Mnn",
        "deepsparse": "gossamer.bench.engines.deepsparse:DeepSparse",
        "torch": "gossamer.bench.engines.torch:Torch",
    },
)

__all__ = ["ENGINES", "Engine", "Subject"]
