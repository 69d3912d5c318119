"""Documents as TF-IDF vectors, or as latent semantic ones (Deerwester et al. 1990,
doi:10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from concept_transfer.errors import StudyError

NORM = 10.0  # of a document's features: penalties to choose among are made for such
PATTERN = r"(?u)\b\w\w+\b"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WordSpace:
    """words: [W], sorted; idf: float64 [W]; axes: float64 [width, W] of latent semantic analysis,
    None for words as they are."""

    words: tuple[str, ...]
    idf: Floats
    axes: Floats | None = None

    @classmethod
    def of(cls, texts: Iterable[str], least: int, width: int | None, seed: int) -> WordSpace:
        """Of the words that at least so many documents have; width: of latent semantic analysis,
        fewer where documents or words are. Raises StudyError where no word is left."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        read = TfidfVectorizer(sublinear_tf=True, min_df=least, token_pattern=PATTERN)
        try:
            vectors = read.fit_transform(texts)
        except ValueError:
            raise StudyError(
                f"no word stands in {least} of the documents to learn words from; lower the "
                "setting min_count of the classifier, or take one that needs no words"
            ) from None
        words = tuple(read.get_feature_names_out().tolist())
        space = cls(words, np.asarray(read.idf_, np.float64))
        if width is None:
            return space
        most = min(width, vectors.shape[0], vectors.shape[1] - 1)
        if most < 1:
            return space
        svd = TruncatedSVD(most, random_state=seed).fit(vectors)
        return cls(space.words, space.idf, np.asarray(svd.components_, np.float64))

    def features(self, texts: Iterable[str]) -> csr_array | Floats:
        """[n, words] in compressed rows, or [n, width]; of length `NORM`, but 0 where a document
        has no word that is known."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.preprocessing import normalize

        read = CountVectorizer(
            vocabulary=dict(zip(self.words, range(len(self.words)), strict=True)),
            token_pattern=PATTERN,
        )
        counts = read.transform(texts).astype(np.float64)
        counts.data = 1 + np.log(counts.data)
        vectors = normalize(counts.multiply(self.idf).tocsr())
        if self.axes is None:
            return csr_array(vectors) * NORM
        return np.asarray(normalize(vectors @ self.axes.T) * NORM)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `from_arrays` takes."""
        words = np.frombuffer("\n".join(self.words).encode(), np.uint8)
        axes = {} if self.axes is None else {"axes": self.axes}
        return {"words": words, "idf": self.idf, **axes}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> WordSpace:
        words = bytes(arrays["words"]).decode().split("\n")
        return cls(tuple(words), arrays["idf"], arrays.get("axes"))
