"""Words that are one slip away from a known word (Damerau 1964, doi:10.1145/363958.363994)."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = 6  # of a word that is corrected: shorter ones are too near to other words


class Spelling:
    """Corrects long words, but never the first letter: `never` is no slip of `fever`.

    >>> spelling = Spelling(["wheezing", "headache"])
    >>> [spelling.corrected(word) for word in ("wheezng", "haedache", "sneezing")]
    ['wheezing', 'headache', 'sneezing']
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._near: dict[str, set[str]] = {}
        for word in self._known:
            if len(word) >= _LETTERS and word.isalpha():
                for form in (word, *_shorter(word)):
                    self._near.setdefault(form, set()).add(word)
        self._seen: dict[str, str] = {}

    def corrected(self, word: str) -> str:
        """The one known word that a letter more, less or other makes of it, or two swapped; the
        word itself where there is none, or several."""
        if len(word) < _LETTERS - 1 or word in self._known:
            return word
        found = self._seen.get(word)
        if found is None:
            found = self._seen[word] = self._correct(word)
        return found

    def _correct(self, word: str) -> str:
        plain = word.casefold()
        if plain in self._known or not plain.isalpha():
            return word
        near = {
            known
            for form in (plain, *_shorter(plain))
            for known in self._near.get(form, ())
            if _one_slip(plain, known)
        }
        return near.pop() if len(near) == 1 else word


def _shorter(word: str) -> set[str]:
    """The word without one of its letters, but with the first."""
    return {word[:place] + word[place + 1 :] for place in range(1, len(word))}


def _one_slip(word: str, known: str) -> bool:
    """Whether one letter was lost, added or replaced, or two neighbours were swapped."""
    if len(word) != len(known):
        long, short = sorted((word, known), key=len, reverse=True)
        return len(long) == len(short) + 1 and short in _shorter(long)
    differ = [place for place, (a, b) in enumerate(zip(word, known, strict=True)) if a != b]
    if len(differ) == 2 and differ[1] == differ[0] + 1:
        return word[differ[0]] + word[differ[1]] == known[differ[1]] + known[differ[0]]
    return len(differ) == 1
