"""A model's vocabulary: from text to tokens and back."""

import ctypes

import llama_cpp as llama


class Vocabulary:
    """The tokens of a loaded model.

    :param model: llama.cpp's handle
    """

    def __init__(self, model: object) -> None:
        self._vocab = llama.llama_model_get_vocab(model)
        self.size = llama.llama_vocab_n_tokens(self._vocab)
        self.bos = llama.llama_vocab_bos(self._vocab)
        self.eos = llama.llama_vocab_eos(self._vocab)
        self._adds_bos = llama.llama_vocab_get_add_bos(self._vocab)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, with the beginning mark where the model asks for one.

        A text that begins with that mark itself, as many templates' do, does not get a second.
        """
        bos = self.text(self.bos)
        begins = self._adds_bos and self.bos >= 0 and not (bos and text.startswith(bos))
        return [self.bos, *self.encode_inner(text)] if begins else self.encode_inner(text)

    def encode_inner(self, text: str) -> list[int]:
        """Return the tokens of a text that stands within another."""
        data = text.encode("utf-8", errors="replace")
        buffer = (llama.llama_token * (len(data) + 8))()
        count = llama.llama_tokenize(self._vocab, data, len(data), buffer, len(buffer), False, True)
        return list(buffer[:count])

    def text(self, token: int) -> str:
        """Return a token as the vocabulary spells it, "" for one that does not exist."""
        text = llama.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode("utf-8", errors="replace") if text else ""

    def piece(self, token: int) -> bytes:
        """Return the bytes a token adds to a text; a character may be spread over several."""
        buffer = ctypes.create_string_buffer(256)
        size = llama.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        if size < 0:  # a longer token: minus the room it needs
            buffer = ctypes.create_string_buffer(-size)
            size = llama.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(size, 0)]

    def ends(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return bool(llama.llama_vocab_is_eog(self._vocab, token))
