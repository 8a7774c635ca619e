"""ONNX: recurrent nodes in our cells, and whole graphs run by onnxruntime."""
