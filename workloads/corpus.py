"""A text whose entropy is known: made-up words, each followed by one of a few others. Pure.

Words follow each other as a Markov chain, and a space ends each. Whoever has read a word's
beginning knows which word it may be, and so nothing predicts the text better than the chain: its
entropy rate is the least mean loss that any model can come to.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
"""What a text is made of; a token is a place in it."""
CONSONANTS, VOWELS = "bdfghjklmnprstvwz", "aeiou"
LANGUAGE_SEED = 1
"""Of the one language that all runs learn; texts in it differ from run to run."""
WORDS, FOLLOWERS, MOST_SYLLABLES = 64, 8, 3


@dataclass(frozen=True)
class Language:
    """Words, and how often each follows each: rows of probabilities, ``(words, words)``."""

    words: tuple[str, ...]
    follows: NDArray[np.float64]

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Return each word's share of all words in a long text, ``(words,)``."""
        count = len(self.words)
        # What a step of the chain does not change, and that adds up to 1.
        kept = np.vstack([self.follows.T - np.eye(count), np.ones(count)])
        wanted = np.append(np.zeros(count), 1.0)
        found: NDArray[np.float64] = np.linalg.lstsq(kept, wanted, rcond=None)[0]
        return found

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """Return each word's length, its space included."""
        return np.array([len(word) + 1 for word in self.words], dtype=float)

    @cached_property
    def entropy(self) -> float:
        """Return the entropy rate in nats per character: that of the chain, over a word's length.

        Source: Shannon, A Mathematical Theory of Communication, 1948, section 7.
        """
        logarithms = np.log(self.follows, where=self.follows > 0, out=np.zeros_like(self.follows))
        per_word = -(self.shares[:, None] * self.follows * logarithms).sum()
        return float(per_word / (self.shares @ self.lengths))

    def text(self, seeds: tuple[int, ...], length: int) -> NDArray[np.int64]:
        """Return ``length`` tokens out of the middle of a long text, the same for the same seeds.

        It may begin inside a word: every place in a long text is as likely as every other.
        """
        random = np.random.default_rng(seeds)
        word = bisect(self._begins, random.random() * self._begins[-1])
        cut = int(random.random() * self.lengths[word])
        pieces = [self._tokens[word][cut:]]
        missing = length - len(pieces[0])
        while missing > 0:
            chances = self._follows[word]
            word = min(bisect(chances, random.random()), len(self.words) - 1)
            pieces.append(self._tokens[word])
            missing -= len(pieces[-1])
        return np.concatenate(pieces)[:length]

    @cached_property
    def _tokens(self) -> list[NDArray[np.int64]]:
        return [np.array([ALPHABET.index(letter) for letter in f"{it} "]) for it in self.words]

    @cached_property
    def _begins(self) -> list[float]:
        """Return how likely a place lies in a word, summed up: the longer, the likelier."""
        sums: list[float] = np.cumsum(self.shares * self.lengths).tolist()
        return sums

    @cached_property
    def _follows(self) -> list[list[float]]:
        sums: list[list[float]] = np.cumsum(self.follows, axis=1).tolist()
        return sums


@cache
def language() -> Language:
    """Return the language that runs learn, the same on every machine."""
    random = np.random.default_rng(LANGUAGE_SEED)

    def one_of(letters: str) -> str:
        return letters[int(random.random() * len(letters))]

    words: list[str] = []
    while len(words) < WORDS:
        syllables = 1 + int(random.random() * MOST_SYLLABLES)
        word = "".join(one_of(CONSONANTS) + one_of(VOWELS) for _ in range(syllables))
        word += one_of(CONSONANTS)
        if word not in words:
            words.append(word)
    chances = 1 / np.arange(1.0, FOLLOWERS + 1)  # as Zipf found words to be
    chances /= chances.sum()
    follows = np.zeros((WORDS, WORDS))
    for row in follows:
        row[np.argsort([random.random() for _ in words])[:FOLLOWERS]] = chances
    return Language(tuple(words), follows)


def spelt(tokens: NDArray[np.int64]) -> str:
    """Return tokens as the text that they stand for."""
    return "".join(ALPHABET[token] for token in tokens)
