"""Arrays that lie in a file instead of in memory, and are read from there when they are looked at."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_ALIGN = 64  # bytes: where an array may begin


class MappedArrays:
    """Copies of arrays in a file without a name, which ends with the process; what is written to them goes there.

    The file's whole space is taken from the disk at once: a full disk is an `OSError` here, and never a fault later.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        folder: Path,  # where the file is
    ):
        places, size = {}, mmap.PAGESIZE
        for name, array in arrays.items():
            places[name], size = size, size + -(-array.nbytes // _ALIGN) * _ALIGN
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)
            self._space = mmap.mmap(file.fileno(), size)
        self.arrays: dict[str, np.ndarray] = {}
        for name, array in arrays.items():
            copy = np.frombuffer(self._space, array.dtype, array.size, places[name]).reshape(array.shape)
            copy[...] = array
            self.arrays[name] = copy
        self.rest()

    @classmethod
    def possible(cls) -> bool:
        "Whether this system can keep arrays so."
        return hasattr(os, "posix_fallocate") and hasattr(mmap, "MADV_DONTNEED")

    def rest(self) -> None:
        "Give the memory back; what was written stands in the file."
        self._space.madvise(mmap.MADV_DONTNEED)

    def missing_bytes(self, arrays: Mapping[str, np.ndarray]) -> int:
        "How much of these arrays lies in memory: those that are not the ones of the file."
        return sum(array.nbytes for name, array in arrays.items() if array is not self.arrays.get(name))
