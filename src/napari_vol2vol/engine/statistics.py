"""Running mean and standard deviation over samples, in constant memory (Welford 1962)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class RunningStatistics:
    """Voxel-wise mean and sample standard deviation (n - 1) of arrays added one at a time.

    The first array is kept as it is, and must not be written to.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: FloatArray | None = None
        self._squares: FloatArray | None = None

    def add(self, sample: FloatArray) -> None:
        """Include one more sample."""
        self.count += 1
        if self._mean is None:
            self._mean = sample.astype(np.float32, copy=False)
            return
        delta = sample - self._mean
        mean = np.asarray(self._mean + delta / self.count, np.float32)
        squares = delta * (sample - mean)
        self._squares = squares if self._squares is None else self._squares + squares
        self._mean = mean

    @property
    def mean(self) -> FloatArray | None:
        """Mean of the samples so far; None before the first. A new array each time a sample is added."""
        return self._mean

    @property
    def std(self) -> FloatArray | None:
        """Standard deviation over the samples; None before the second."""
        if self._squares is None:
            return None
        return np.sqrt(self._squares / (self.count - 1), dtype=np.float32)
