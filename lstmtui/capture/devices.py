"""Which device and dtype a run uses, and whether the run fits the machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lstmtui.errors import UserError

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def resolve_device(name: str) -> torch.device:
    """The device for "auto", "cpu", "cuda", "cuda:1" or "mps". "auto" takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: there is no such device on this machine; the message says which there are.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"device {name}: not a device; use auto, cpu, cuda, cuda:N or mps") from error
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= present.get(device.type, 0):
        kinds = ", ".join(kind for kind, count in present.items() if count)
        raise UserError(f"device {name}: not on this machine; found {kinds}")
    return device


def on_device(array: ArrayLike | None, device: torch.device) -> Tensor:
    """An array as a tensor on a device; float64 becomes float32 where the device, as MPS, has no float64."""
    tensor = torch.as_tensor(array, device="cpu")
    if device.type == "mps" and tensor.dtype == torch.float64:
        tensor = tensor.float()
    return tensor.to(device)


def where_float64_is(tensor: Tensor) -> Tensor:
    """The tensor, or a copy on the host where its device, as MPS, has no float64."""
    return tensor.cpu() if tensor.device.type == "mps" else tensor


def check_memory(values: int, dtype: torch.dtype) -> None:
    """Refuse a run whose trace would not fit into memory.

    Args:
        values: how many numbers the trace will hold.
        dtype: of the run; half precision is kept as float32.

    Raises:
        UserError: with both sizes.
    """
    needed = values * max(4, dtype.itemsize)
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    if needed > 0.8 * memory:
        raise UserError(
            f"the trace would take {needed / 2**30:.1f} GiB and this machine has {memory / 2**30:.1f} GiB; "
            "record fewer timesteps or sequences"
        )


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU that can be taken now.

    They are those its driver has free and those PyTorch keeps without using them, as far as the share goes
    that `torch.cuda.set_per_process_memory_fraction` leaves to this process.
    """
    free, total = torch.cuda.mem_get_info(device)
    counts = torch.cuda.memory_stats(device)
    held, used, scattered = (
        counts.get(f"{name}_bytes.all.current", 0) for name in ("reserved", "allocated", "inactive_split")
    )
    share = getattr(torch.cuda, "get_per_process_memory_fraction", lambda _: 1.0)(device)
    return int(max(0, min(free + held - used - scattered, share * total - used)))


def check_disk(values: int, dtype: torch.dtype, place: Path) -> None:
    """Refuse a run whose trace would not fit on the disk it is written to.

    Args:
        values: how many numbers the trace will hold.
        dtype: of the run; half precision is kept as float32.
        place: a directory there.

    Raises:
        UserError: with both sizes.
    """
    needed, free = values * max(4, dtype.itemsize), shutil.disk_usage(place).free
    if needed > free:
        raise UserError(
            f"{place}: the trace would take {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; "
            "record fewer timesteps or sequences, or choose another disk"
        )


def found_devices() -> list[tuple[str, str]]:
    """The devices that torch can run on here, as (name, description) pairs."""
    threads = f"{torch.get_num_threads()} threads"
    devices = [("cpu", threads)]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            memory = properties.total_memory / 2**30
            devices.append((f"cuda:{index}", f"{properties.name}, {memory:.0f} GiB"))
    else:
        built = "no driver or device" if torch.version.cuda else "this torch is built without CUDA"
        devices.append(("cuda", f"no: {built}"))
    mps = torch.backends.mps.is_available()
    devices.append(("mps", "yes" if mps else "no: not on this machine"))
    devices.append(("device = auto", str(resolve_device("auto"))))
    return devices
