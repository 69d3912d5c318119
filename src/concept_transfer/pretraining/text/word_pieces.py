"""Word pieces of a language model's own, learned from documents (Wu et al. 2016)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from concept_transfer.errors import StudyError
from concept_transfer.pretraining.text.documents import Readable
from concept_transfer.settings.text_encoders import Scratch

MARKS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
BEGIN, CONTINUED = "\N{LOWER ONE EIGHTH BLOCK}", "##"


def word_pieces(where: str, readable: Readable, shape: Scratch, longest: int) -> Any:
    """A tokenizer of lower-case words and their pieces, as BERT's.

    It learns from words in the documents of `min_count` patients or more, so that no name that few
    patients' documents hold becomes a piece. longest: tokens of a sequence at most. Raises
    StudyError where no word is left.
    """
    words = frequent_words(readable, splitter(), shape.min_count)
    if not words:
        raise StudyError(
            f"{where}: no word stands in documents of {shape.min_count} patients "
            f"(scratch.min_count), among {len(readable)} documents that may be learned from; lower "
            "it, or name more sites"
        )
    return tokenizer_of(words, shape.word_pieces, longest)


def splitter() -> Tokenizer:
    """Divides texts into lower-case words, as BERT does; it has no pieces yet."""
    tokenizer = Tokenizer(WordPiece())
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def tokenizer_of(words: Mapping[str, int], most: int, longest: int) -> Any:
    """A tokenizer of words and their pieces; words: those of a `splitter`, in alphabetic order, and
    how often each stands; most: of pieces; longest: tokens of a sequence at most."""
    tokenizer = splitter()
    known = {piece: place for place, piece in enumerate(_learned(words, most))}
    tokenizer.model = WordPiece(known, unk_token=MARKS["unk"])
    tokenizer.post_processor = TemplateProcessing(
        single=f"{MARKS['cls']} $A {MARKS['sep']}",
        special_tokens=[(MARKS[name], known[MARKS[name]]) for name in ("cls", "sep")],
    )
    named = {f"{name}_token": mark for name, mark in MARKS.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=longest, **named)


def _learned(words: Mapping[str, int], most: int) -> dict[str, None]:
    """Marks, letters, and the most frequent pieces of words, each once, in this order.

    tokenizers' own trainer of word pieces gives others from run to run; that of byte pairs, whose
    pieces are told apart by a sign at the beginning of words, does not.
    """
    letters = sorted(set("".join(words)))
    pairs = Tokenizer(BPE())
    pairs.pre_tokenizer = WhitespaceSplit()
    room = max(most - len(MARKS) - len(letters) + 1, 0)
    lines = (f"{BEGIN}{word} " * count for word, count in words.items())
    pairs.train_from_iterator(lines, BpeTrainer(vocab_size=room, show_progress=False))
    found = sorted(pairs.get_vocab().items(), key=lambda entry: entry[1])
    pieces = (
        piece.removeprefix(BEGIN) if piece.startswith(BEGIN) else CONTINUED + piece
        for piece, _ in found
        if piece != BEGIN
    )
    return dict.fromkeys([*MARKS.values(), *letters, *pieces])


def frequent_words(readable: Readable, tokenizer: Tokenizer, fewest: int) -> dict[str, int]:
    """How often each word stands that documents of so many patients hold, in alphabetic order."""
    counts: Counter[str] = Counter()
    owners: dict[str, set[int]] = {}
    for patient, text in zip(readable.patients.tolist(), readable, strict=True):
        plain = tokenizer.normalizer.normalize_str(text)
        found = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain)]
        found = [word for word in found if BEGIN not in word]
        counts.update(found)
        for word in set(found):
            known = owners.setdefault(word, set())
            if len(known) < fewest:
                known.add(patient)
    return {word: counts[word] for word in sorted(counts) if len(owners[word]) >= fewest}
