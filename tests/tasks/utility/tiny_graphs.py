"""Networks in files, small enough to know by heart: what goes in comes out, or constants do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write_onnx(
    path: Path,
    shape: Sequence[int | str],
    nodes: Sequence[Any],
    outputs: Mapping[str, tuple[type[np.generic], Sequence[int | str]]],
    constants: Mapping[str, np.ndarray] | None = None,
    dtype: type[np.generic] = np.float32,
) -> Path:
    """Write a graph whose input is ``image``."""
    from onnx import TensorProto, helper, numpy_helper, save

    types = {np.float32: TensorProto.FLOAT, np.uint8: TensorProto.UINT8,
             np.int64: TensorProto.INT64, np.float16: TensorProto.FLOAT16}  # fmt: skip
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("image", types[dtype], list(shape))],
        [helper.make_tensor_value_info(n, types[t], list(s)) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(v, n) for n, v in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(made, path)
    return path


def flat_onnx(
    path: Path,
    shape: Sequence[int | str],
    dtype: type[np.generic] = np.float32,
    last: str = "Identity",
    **attributes: Any,
) -> Path:
    """Write a graph that gives its input as one row of numbers an image."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["real"], ["flat"]),
        helper.make_node(last, ["flat"], ["out"], **attributes),
    ]
    return write_onnx(path, shape, nodes, {"out": (np.float32, [shape[0], "C"])}, dtype=dtype)


def constant_onnx(
    path: Path, values: Mapping[str, np.ndarray], shape: Sequence[int | str] = (1, 3, 8, 8)
) -> Path:
    """Write a graph that gives the same numbers for every image; all it reads is a sum of zeros."""
    from onnx import TensorProto, helper

    constants = {"zero": np.float32(0)} | {f"{n}_value": v for n, v in values.items()}
    nodes = [
        helper.make_node("ReduceSum", ["image"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
    ]
    for name, value in values.items():
        to = TensorProto.INT64 if value.dtype == np.int64 else TensorProto.FLOAT
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}_nothing"], to=to))
        nodes.append(helper.make_node("Add", [f"{name}_value", f"{name}_nothing"], [name]))
    outputs = {n: (v.dtype.type, list(v.shape)) for n, v in values.items()}
    return write_onnx(path, shape, nodes, outputs, constants)


def write_tflite(
    path: Path,
    tensors: Sequence[dict[str, Any]],
    operators: Sequence[tuple[str | int, Sequence[int], Sequence[int], bytes]],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> Path:
    """Write a TFLite file.

    Args:
        path: The file.
        tensors: ``name``, ``shape``, ``type`` of each; ``scale`` and ``zero`` where it is
            quantised; ``value`` where it is constant.
        operators: Built-in number or custom name, inputs, outputs, custom options.
        inputs: Of the graph.
        outputs: Of the graph.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    codes = {"float32": 0, "int32": 2, "uint8": 3, "int8": 9}
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs = 3, [graph]
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    graph.tensors, graph.operators = [], []
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    for about in tensors:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = about["name"], about["shape"], codes[about["type"]]
        tensor.buffer = 0
        if "value" in about:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(about["value"]).tobytes(), np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
        if "scale" in about:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [about["scale"]]
            tensor.quantization.zeroPoint = [about["zero"]]
        graph.tensors.append(tensor)
    for which, into, out, options in operators:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        if isinstance(which, str):
            code.builtinCode, code.customCode = schema.BuiltinOperator.CUSTOM, which
            operator.customOptions = np.frombuffer(options, np.uint8) if options else None
        else:
            code.builtinCode = code.deprecatedBuiltinCode = which
        code.version = 1
        operator.opcodeIndex = len(model.operatorCodes)
        operator.inputs, operator.outputs = list(into), list(out)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def flat_tflite(
    path: Path, kind: str, scale: float = 0.0, zero: int = 0, side: int = 2, batch: int = 1
) -> Path:
    """Write a TFLite file that gives its input as one row of numbers an image."""
    about = {"type": kind} | ({"scale": scale, "zero": zero} if scale else {})
    count = side * side * 3
    shape = np.array([batch, count], np.int32)
    tensors = [
        {"name": "image", "shape": [batch, side, side, 3], **about},
        {"name": "shape", "shape": [2], "type": "int32", "value": shape},
        {"name": "out", "shape": [batch, count], **about},
    ]
    reshape = 22
    return write_tflite(path, tensors, [(reshape, [0, 1], [2], b"")], [0], [2])


def ssd_tflite(
    path: Path, boxes: np.ndarray, scores: np.ndarray, order: Sequence[int] = (0, 1, 2, 3)
) -> Path:
    """Write a TFLite file that detects the same in every image, by TFLite's own operation.

    Args:
        path: The file.
        boxes: (n, 4) centre y, x, height, width, from 0 to 1.
        scores: (n, classes) without the background.
        order: Of boxes, labels, scores and count.
    """
    from flatbuffers import flexbuffers

    n, classes = scores.shape
    options = {
        "max_detections": n, "max_classes_per_detection": 1, "detections_per_class": n,
        "use_regular_nms": False, "nms_score_threshold": 0.01, "nms_iou_threshold": 0.5,
        "num_classes": classes, "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
    }  # fmt: skip
    with_background = np.concatenate([np.zeros((n, 1)), scores], axis=1).astype(np.float32)
    tensors = [
        {"name": "image", "shape": [1, 8, 8, 3], "type": "float32"},
        {"name": "raw", "shape": [1, n, 4], "type": "float32",
         "value": np.zeros((1, n, 4), np.float32)},
        {"name": "said", "shape": [1, n, classes + 1], "type": "float32",
         "value": with_background[None]},
        {"name": "anchors", "shape": [n, 4], "type": "float32",
         "value": boxes.astype(np.float32)},
        {"name": "StatefulPartitionedCall:0", "shape": [1, n, 4], "type": "float32"},
        {"name": "StatefulPartitionedCall:1", "shape": [1, n], "type": "float32"},
        {"name": "StatefulPartitionedCall:2", "shape": [1, n], "type": "float32"},
        {"name": "StatefulPartitionedCall:3", "shape": [1], "type": "float32"},
    ]  # fmt: skip
    detect = (
        "TFLite_Detection_PostProcess",
        [1, 2, 3],
        [4, 5, 6, 7],
        bytes(flexbuffers.Dumps(options)),
    )
    return write_tflite(path, tensors, [detect], [0], [4 + k for k in order])
