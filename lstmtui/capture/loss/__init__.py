"""What the loss is, what it reads, and its gradients."""
