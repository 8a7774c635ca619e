"""Where weights come from: `Recurrent`, PyTorch's own modules, and the models of scenario files."""
