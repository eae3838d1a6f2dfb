"""When the words of an answer were written, as a small blob.

A blob is zlib over two runs of 32-bit differences, one behind the other: times in tenths of a
millisecond, and characters written by then.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TIME_SCALE = 1e4


@dataclass(frozen=True, slots=True)
class TextMarks:
    """For each token of an answer, when it was there and how far the text was then.

    :param time_s: float64, on the clock of the query's stored power curve
    :param characters: int64 of the same length, of the whole text, thinking included
    """

    time_s: npt.NDArray[np.float64]
    characters: npt.NDArray[np.int64]

    def at_time(self, time_s: float) -> tuple[int, int]:
        """Return from which to which character was written last at a time; equal before the
        first."""
        index = int(np.searchsorted(self.time_s, time_s, side="right"))
        if not index:
            return 0, 0
        start = int(self.characters[index - 2]) if index > 1 else 0
        return start, int(self.characters[index - 1])

    def at_character(self, character: int) -> float | None:
        """Return when a character was written, ``None`` for one behind the text."""
        index = int(np.searchsorted(self.characters, character, side="right"))
        return float(self.time_s[index]) if index < len(self.time_s) else None


def encode_marks(marks: TextMarks) -> bytes:
    """Pack the marks of an answer."""
    times = np.rint(marks.time_s * TIME_SCALE).astype(np.int64)
    columns = [np.diff(column, prepend=0).astype("<i4") for column in (times, marks.characters)]
    return zlib.compress(b"".join(column.tobytes() for column in columns))


def decode_marks(blob: bytes) -> TextMarks:
    """Unpack :func:`encode_marks`."""
    times, characters = np.frombuffer(zlib.decompress(blob), "<i4").reshape(2, -1)
    return TextMarks(
        np.cumsum(times, dtype=np.int64) / TIME_SCALE, np.cumsum(characters, dtype=np.int64)
    )
