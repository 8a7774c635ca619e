"""The seed of the random numbers that PyTorch draws."""

from __future__ import annotations

import torch


def seed_all_devices(seed: int) -> None:
    """`torch.manual_seed`, which takes milliseconds where there is nothing but a CPU.

    There it keeps the seed for three kinds of devices that may come later, each with the text of the stack.

    Args:
        seed: from −2⁶³ to 2⁶⁴ − 1.
    """
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
