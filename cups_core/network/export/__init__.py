"""The panoptic networks as ONNX files that ONNX Runtime, OpenVINO and TensorRT run."""
