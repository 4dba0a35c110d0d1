"""Attribute networks of somebody else's: any ONNX image network becomes a pack's `attributes` graph."""
