"""The made-up language: the same everywhere, and of the entropy that it states."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from workloads.corpus import ALPHABET, FOLLOWERS, WORDS, Language, language, spelt


def test_the_language_is_the_same_on_every_machine() -> None:
    known = language()
    assert known.words[:4] == ("zazel", "kibonet", "lak", "hoh")
    assert len(set(known.words)) == WORDS
    assert known.entropy == pytest.approx(0.31171227870058715, rel=1e-12)
    assert spelt(known.text((1, 2, 3), 50)) == "birak bakapeh hoh vof zok dor lem tad kevasak towa"


def test_a_text_follows_from_its_seeds() -> None:
    first, again, other = (language().text((7, 0, step), 300) for step in (4, 4, 5))
    assert (first == again).all()
    assert (first != other).any()
    assert len(first) == 300
    assert (language().text((7, 0, 4), 200) == first[:200]).all()


def test_the_chain_reaches_every_word_and_keeps_its_shares() -> None:
    known = language()
    assert (np.count_nonzero(known.follows, axis=1) == FOLLOWERS).all()
    assert known.follows.sum(axis=1) == pytest.approx(1)
    assert (np.linalg.matrix_power(known.follows, 20) > 0).all(), "from each to each"
    assert known.shares.sum() == pytest.approx(1)
    assert known.shares @ known.follows == pytest.approx(known.shares)


def test_entropy_of_chains_that_can_be_told_by_hand() -> None:
    # Either word is followed by either: a bit for each word of two characters.
    coin = Language(("a", "b"), np.full((2, 2), 0.5))
    assert coin.entropy == pytest.approx(math.log(2) / 2)
    # A bit after "a" only; "a" is two words of three, and a text 2/3 x 2 + 1/3 x 4 a word.
    one_way = Language(("a", "bcd"), np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert one_way.entropy == pytest.approx((2 / 3) * math.log(2) / (8 / 3))


def test_what_the_text_really_surprises_by_is_its_entropy() -> None:
    """A reader who knows the language needs that many nats for a character, on average."""
    known = language()
    words = spelt(known.text((11,), 200_000)).split(" ")[1:-1]
    numbers = [known.words.index(word) for word in words]
    surprises = [-math.log(known.follows[pair]) for pair in pairwise(numbers)]
    letters = sum(len(word) + 1 for word in words[1:])
    # 4 sigma of the mean, words taken as independent; neighbours hardly are not.
    tolerance = 4 * float(np.std(surprises)) * math.sqrt(len(surprises)) / letters
    assert sum(surprises) / letters == pytest.approx(known.entropy, abs=tolerance)
    assert tolerance < 0.02 * known.entropy


def test_texts_begin_anywhere_in_a_long_text() -> None:
    known = language()
    count = 4000
    spaces = sum(known.text((seed,), 1)[0] == ALPHABET.index(" ") for seed in range(count))
    share = 1 / float(known.shares @ known.lengths)
    assert spaces == pytest.approx(count * share, abs=4 * math.sqrt(count * share * (1 - share)))
