"""From token bytes to text that can be shown: whole characters, and stop texts held back."""

import codecs


class TextStream:
    """Collects the bytes of an answer and gives out its text as soon as it is certain.

    A character split over tokens waits for its last byte; the end of the text waits as long as
    it could be the beginning of a stop text.

    :param stop: the answer ends before the first of these
    """

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """Add bytes and return the text that may be shown now."""
        self._held += self._decoder.decode(data)
        # The one complete first ends the answer, however the bytes were cut into tokens.
        found = [(at + len(text), at) for text in self._stop if (at := self._held.find(text)) >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)[1]], ""
            return shown
        keep = self._possible_stop()
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(shown) :]
        return shown

    def finish(self) -> str:
        """Return what is still held back: the answer is over."""
        shown = "" if self.stopped else self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return shown

    def _possible_stop(self) -> int:
        """Length of the longest end of the text that begins a stop text."""
        longest = max((len(text) for text in self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(text.startswith(self._held[-length:]) for text in self._stop):
                return length
        return 0
