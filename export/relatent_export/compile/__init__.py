"""From PyTorch modules and objectives to ONNX graphs."""
