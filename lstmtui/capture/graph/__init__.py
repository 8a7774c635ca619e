"""ONNX graphs as modules: run, recorded, and their gradients."""
