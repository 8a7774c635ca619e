"""The versions of a state dict's modules as they usually stand in a pickle. No torch.

`Module.state_dict` keeps them beside its tensors, in `_metadata`: for each module a dict, nearly always of
one whole number, `version`: https://github.com/pytorch/pytorch/blob/main/torch/nn/modules/module.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstmtui.models.checkpoints.batches import GET, NUMBER, PUT, Batch, entry_name, numbers, put, texts


class VersionBatch(Batch):
    """Names, and dicts of one whole number under the same key.

    Its `gets` get the key.
    """

    def __init__(self, entries: bytes, high: int) -> None:
        names, first, second, keys, versions = self.columns(entries, high)
        (key,) = set(keys)
        self.gets = (key,)
        self._names = texts(names)
        by_code = {code: numbers(code)[0] for code in set(versions)}
        self._versions = list(map(by_code.__getitem__, versions))
        every = np.frombuffer(b"".join(first + second), PUT)["entry"]
        self.memo = int(every.min()), int(every.max())

    def resolve(self, key: Any) -> None:
        """Fill in the key.

        Raises:
            ValueError: it is no text.
        """
        if type(key) is not str:
            raise ValueError("its description has a dict without names")
        self.entries = zip(self._names, ({key: number} for number in self._versions), strict=True)

    @staticmethod
    def pattern(high: int, group: bytes) -> bytes:
        """The name, and a dict of one number."""
        parts = (
            entry_name(high, group),
            *(b"}", group, put(high), b")"),
            *(group, GET, b")", group, NUMBER, b")s"),
        )
        return b"".join(parts)
