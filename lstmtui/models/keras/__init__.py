"""Files of Keras: their recurrent layers by PyTorch's names."""
