"""The few token rows that the model trains, numbered compactly."""

from functools import cached_property

import numpy as np
from open_clip.tokenizer import SimpleTokenizer

CONTEXT = 32  # tokens
PAD = 0  # open_clip's padding


class TokenRows:
    """Compact numbers of the token ids that occur in `words`, in ascending order of the ids.

    The end of text has the highest id, so it keeps the highest number, which open_clip's pooling looks for.
    """

    def __init__(self, words: str):
        self._words = words

    @cached_property
    def tokenizer(self) -> SimpleTokenizer:
        return SimpleTokenizer(context_length=CONTEXT)

    @cached_property
    def ids(self) -> np.ndarray:
        """int64 [rows], ascending: padding, every word's tokens, start and end of text."""
        tokens = self.tokenizer.encode(self._words)
        ends = (PAD, self.tokenizer.sot_token_id, self.tokenizer.eot_token_id)
        return np.unique(np.array([*tokens, *ends], np.int64))

    def encode(self, texts: list[str]) -> np.ndarray:
        """int64 [texts context] of row numbers; a word without a row is an error."""
        tokens = self.tokenizer(texts).numpy()
        rows = np.searchsorted(self.ids, tokens)
        if not np.array_equal(self.ids[rows], tokens):
            raise ValueError(f"texts with words outside the vocabulary, among {texts[:3]}")
        return rows
