"""What a graph must not contain, each in a small graph that is otherwise fine."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from cups_core.network.export.conformance import violations  # noqa: E402
from cups_core.network.export.settings import PROCESSOR, TENSORRT  # noqa: E402


def graph(  # type: ignore[no-untyped-def]
    nodes, constants=None, shape=(1, 8), outputs=(("y", TensorProto.FLOAT, (1, 8)),), opset=18
):
    return helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(*output) for output in outputs],
            [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
    )


def top(count: int, **attributes: int):  # type: ignore[no-untyped-def]
    wide = 5000
    return graph(
        [helper.make_node("TopK", ["x", "k"], ["y", "i"], name="top", **attributes)],
        {"k": np.array([count], np.int64)},
        (1, wide),
        (("y", TensorProto.FLOAT, (1, count)), ("i", TensorProto.INT64, (1, count))),
    )


def regions(**attributes: object):  # type: ignore[no-untyped-def]
    written = {"mode": "avg", "coordinate_transformation_mode": "half_pixel"} | attributes
    return graph(
        [helper.make_node("RoiAlign", ["x", "boxes", "image"], ["y"], **written)],
        {"boxes": np.ones((2, 4), np.float32), "image": np.zeros(2, np.int64)},
        (1, 3, 8, 8),
        (("y", TensorProto.FLOAT, (2, 3, 1, 1)),),
    )


def quantised(kind: type[np.generic], zero: int):  # type: ignore[no-untyped-def]
    return graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        ],
        {"s": np.array(0.1, np.float32), "z": np.array(zero, kind)},
    )


def test_what_all_runtimes_share_is_fine() -> None:
    assert violations(graph([helper.make_node("Relu", ["x"], ["y"])])) == []
    assert violations(top(1000)) == []
    assert violations(regions(sampling_ratio=0)) == []
    assert violations(quantised(np.int8, 0), TENSORRT) == []
    assert violations(quantised(np.uint8, 7), PROCESSOR) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (graph([helper.make_node("Selu", ["x"], ["y"])]), "Selu : not shared"),
        (graph([helper.make_node("Relu", ["x"], ["y"])], opset=17), "version 17"),
        (graph([helper.make_node("Relu", ["x"], ["y"])], shape=(1, "n")), "size is not fixed"),
        (top(3840), "K below 3840"),
        (top(10, sorted=0), "sorted = 1"),
        (regions(), "sampling_ratio"),
        (regions(sampling_ratio=0, mode="max"), "avg"),
        (quantised(np.uint8, 0), "UINT8 is not shared"),
        (quantised(np.int8, 3), "zero point 0"),
        (
            graph(
                [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE)],
                outputs=(("y", TensorProto.DOUBLE, (1, 8)),),
            ),
            "DOUBLE is not shared",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_one_of_them_refuses_is_named(model: object, said: str) -> None:
    found = violations(model)  # type: ignore[arg-type]
    assert any(said in line for line in found), found
