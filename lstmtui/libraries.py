"""Libraries that may be missing; code that needs one fails with a sentence that says what to install."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from lstmtui.errors import UserError

INSTALL = {
    "torch": (
        "PyTorch is not installed: pip install torch (3 GB with CUDA; for the CPU build of 200 MB see "
        "https://pytorch.org/get-started/locally/); it runs models and reads .pt files, while saved traces "
        "open without it"
    ),
    "xarray": "xarray is not installed, which to_xarray makes datasets of: pip install xarray",
    "lightning": "PyTorch Lightning is not installed: pip install lightning",
    "resvg_py": "resvg-py, which makes a PNG of the picture, is not installed: pip install 'lstmtui[png]', "
    "or save an .svg",
    "onnxruntime": (
        "onnxruntime is not installed, which runs whole ONNX graphs: pip install 'lstmtui[onnx]'; "
        'without it, module = "…" runs one of the graph\'s recurrent nodes by itself'
    ),
    "h5py": "h5py is not installed, which reads the files of Keras: pip install 'lstmtui[keras]'",
    "onnx": "the onnx package is not installed, which reads ONNX models: pip install 'lstmtui[onnx]'",
}
"""What is said where a library is missing."""


class MissingLibrary(UserError, ImportError):
    """A library that is needed is not installed, or cannot be loaded; the message says what to do."""


def require_library(name: str) -> None:
    """Raise an error unless a library of :data:`INSTALL` is installed; does not load it.

    Raises:
        MissingLibrary: it is not.
    """
    if find_spec(name) is None:
        raise MissingLibrary(INSTALL[name], name=name)


def load_library(name: str) -> None:
    """Import a library of :data:`INSTALL`, before a module that cannot do without it is imported.

    Raises:
        MissingLibrary: it is not installed, or cannot be loaded.
    """
    require_library(name)
    try:
        import_module(name)
    except (ImportError, OSError) as error:  # such as a shared library that the system cannot load
        raise MissingLibrary(f"{name} is installed but cannot be loaded: {error}", name=name) from None
