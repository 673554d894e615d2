"""What a user chooses about an exported model; needs neither PyTorch nor ONNX."""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting

PROCESSOR, TENSORRT = "processor", "tensorrt"


@dataclass(frozen=True)
class ExportSettings:
    """Size, cost and number type of a model."""

    height: int = setting(512, "of the input, pixels, a multiple of 32", minimum=64)
    width: int = setting(1024, "of the input, pixels, a multiple of 32", minimum=64)
    precision: str = setting(
        "fp32",
        "number type of convolutions and fully connected layers; boxes and probabilities always "
        "stay in 32 bits",
        choices=("fp32", "fp16", "int8"),
    )
    int8_for: str = setting(
        PROCESSOR,
        "what an int8 model is made for: on a processor ONNX Runtime and OpenVINO want activations "
        "with a zero point and whole biases, TensorRT takes neither",
        choices=(PROCESSOR, TENSORRT),
    )
    proposals: int = setting(
        300,
        "regions that the cascade looks at; the network was trained with 1000, which take twice "
        "the time",
        minimum=100,
        maximum=1000,
    )
