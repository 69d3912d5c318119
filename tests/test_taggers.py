"""Taggers that learn: what they read, that they find what is there, and what they never see."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from embedding_data import save_tiny_model
from tagging_data import DRUGS, TYPES, made_up
from torch.nn import functional

from concept_transfer.errors import StudyError
from concept_transfer.extraction.corpus import Corpus
from concept_transfer.extraction.encoder_tagger import EncoderTagger, learn, read
from concept_transfer.extraction.hashed_crf import HashedCrfTagger
from concept_transfer.extraction.hashing import features
from concept_transfer.extraction.learning import ensemble, learned, tagging, thinned
from concept_transfer.extraction.network import TaggingNetwork
from concept_transfer.extraction.pieces import Batch, windows_of
from concept_transfer.extraction.settings import (
    DictionaryTagger,
    EncoderTaggerSettings,
    HashedCrf,
)
from concept_transfer.extraction.spans import Span, bio_labels
from concept_transfer.extraction.standoff import read_standoff
from concept_transfer.extraction.tagger import Request
from concept_transfer.extraction.taggings import FILES, Tagging

TRAIN, TEST = made_up(150, 1), made_up(40, 2)
CRF = HashedCrf(kind="hashed_crf")
SCRATCH = EncoderTaggerSettings(
    kind="encoder", model=None, width=32, layers=1, epochs=4, learning_rate=3e-3, batch_size=8
)


def requested(settings: object, corpus: Corpus = TRAIN, seed: int = 1) -> Request:
    return Request("taggers.it", corpus, TYPES, settings, seed)


@pytest.fixture(scope="module")
def network() -> EncoderTagger:
    return learn(requested(SCRATCH))


def test_features_of_a_word_are_of_it_and_its_neighbours() -> None:
    """Whatever other sentences there are, and in their order."""
    sentences = [["no", "fever", "today"], ["a", "b", "c", "d", "fever", "e", "f", "g", "h"]]
    other = [["x"], ["A", "b", "c", "d", "fever", "e", "f", "g", "H"], ["y", "z"]]
    plain = [["O"] * len(words) for words in sentences]
    one = features(sentences, plain)
    two = features(other, [["O"] * len(words) for words in other])

    def of(found: object, word: int) -> list[int]:
        return found.hashes[found.starts[word] : found.starts[word + 1]].tolist()  # type: ignore[attr-defined]

    assert of(one, 3 + 4) == of(two, 1 + 4)  # "fever", with all but words four places away alike
    assert of(one, 1) != of(one, 3 + 4)
    assert len(set(of(one, 1))) == len(of(one, 1))
    marked = features(sentences, [["O", "B-Sign", "O"], plain[1]])
    assert set(of(marked, 1)) != set(of(one, 1))
    assert of(marked, 7) == of(one, 7)


def test_a_hashed_crf_learns_names_it_has_not_seen_by_their_neighbours() -> None:
    """A drug stands after "takes"; another seed's order of sentences hardly matters."""
    tagger = learned(requested(CRF))
    found = tagger.tag([["He", "takes", "Zonisamide", "for", "cough", "."], []])
    assert found == [[Span(2, 3, "Drug"), Span(4, 5, "Sign")], []]
    assert tagger.tag(TEST.sentences) == list(TEST.spans)
    assert tagger.tag([]) == []


def test_the_same_seed_gives_the_same_weights() -> None:
    one, two, other = (learned(requested(CRF, seed=seed)) for seed in (1, 1, 2))
    assert isinstance(one, HashedCrfTagger)
    assert isinstance(two, HashedCrfTagger)
    assert isinstance(other, HashedCrfTagger)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert not np.array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.known, np.unique(one.known))


def test_probabilities_are_those_of_whole_sentences_apart(network: EncoderTagger) -> None:
    for tagger in (learned(requested(CRF)), network):
        _, whole = tagger.read(TEST.sentences)  # type: ignore[union-attr]
        apart = torch.cat([tagger.read([words])[1] for words in TEST.sentences])  # type: ignore[union-attr]
        torch.testing.assert_close(whole, apart, atol=1e-5, rtol=0)
        torch.testing.assert_close(whole.sum(1), torch.ones(len(whole), dtype=torch.float64))


def test_words_are_judged_by_their_first_pieces(tmp_path: Path, network: EncoderTagger) -> None:
    """As the offsets of characters say, whatever the batch and its padding."""
    sentences = [["Metoprolol", "\u200b", "(", "aspirin", ")"], ["no", "fever"]]
    windows = windows_of(sentences, network.tokenizer, 50)
    batch = Batch.of(windows, network.tokenizer.pad_token_id, torch.device("cpu"))
    read = network.tokenizer.convert_ids_to_tokens(batch.ids.flatten()[batch.places])
    expected = []
    for words in sentences:
        text = " ".join(words)
        ends = network.tokenizer(text, return_offsets_mapping=True)
        pieces = network.tokenizer.convert_ids_to_tokens(ends["input_ids"])
        starts = [len(" ".join(words[:i])) + (i > 0) for i in range(len(words))]
        by_start = {s: p for (s, e), p in zip(ends["offset_mapping"], pieces, strict=True) if e > s}
        expected += [by_start.get(start, "[CLS]") for start in starts]
    assert read == expected
    assert read[1] == "[CLS]"  # of the word that the tokenizer drops


def test_long_sentences_are_read_in_windows(network: EncoderTagger) -> None:
    words = [word for sentence in TEST.sentences for word in sentence][:60]
    windows = windows_of([words, ["a"]], network.tokenizer, 16)
    assert max(len(window.ids) for window in windows) <= 16
    places = [place for w in windows if w.sentence == 0 for place in range(60)[w.words]]
    assert places == list(range(60))
    long = windows_of([["cough" * 15]], network.tokenizer, 8)
    assert (len(long), len(long[0].ids)) == (1, 8)  # a word longer than a window is cut
    short = EncoderTagger(network.labels, network.network, network.tokenizer, 16)
    assert short.read([words])[1].shape == (60, len(network.labels))


@pytest.mark.parametrize("head", ["linear", "crf"])
def test_a_model_in_a_folder_is_tuned(tmp_path: Path, head: str) -> None:
    folder = save_tiny_model("bert", tmp_path / "model")
    settings = EncoderTaggerSettings(
        kind="encoder", model=str(folder), head=head, epochs=1, learning_rate=1e-3
    )
    words = [["no", "finding", "number", "1"], ["high", "temperature"]] * 10
    corpus = Corpus(words, [[Span(1, 2, "Sign")], [Span(0, 2, "Sign")]] * 10, [0] * 20)
    tagger = learn(requested(settings, corpus))
    assert len(tagger.network.steps) == (3 if head == "crf" else 0)
    assert all(spans == sorted(spans) for spans in tagger.tag(words))
    frozen = settings.model_copy(update={"freeze_words": True, "epochs": 2})
    tables = [
        learn(requested(one, corpus)).network.body.get_input_embeddings().weight
        for one in (settings.model_copy(update={"learning_rate": 1e-12}), frozen)
    ]
    torch.testing.assert_close(*tables)


def test_the_linear_loss_is_the_cross_entropy_and_the_crfs_that_of_the_chain() -> None:
    labels = bio_labels(["A"])
    scores, truth = torch.randn(7, 3), torch.tensor([0, 1, 2, 0, 0, 1, 0])
    linear = TaggingNetwork(torch.nn.Identity(), 4, labels, 0.0, has_chain=False)
    expected = functional.cross_entropy(scores, truth)
    torch.testing.assert_close(linear.loss(scores, truth, torch.tensor([4, 3])), expected)
    crf = TaggingNetwork(torch.nn.Identity(), 4, labels, 0.0, has_chain=True)
    loss = crf.loss(scores, truth, torch.tensor([4, 3]))
    assert loss < expected  # what BIO forbids takes no probability
    loss.backward()
    assert all(step.grad is not None for step in crf.steps)


def test_a_network_learns_and_says_if_not(network: EncoderTagger) -> None:
    right = sum(a == b for a, b in zip(network.tag(TEST.sentences), TEST.spans, strict=True))
    assert right / len(TEST) > 0.9
    lost = SCRATCH.model_copy(
        update={"epochs": 1, "learning_rate": 1e-9, "head_learning_rate": 1e-9}
    )
    empty = Corpus([["a", "b"]] * 90 + [["fever"]], [[]] * 90 + [[Span(0, 1, "Sign")]], [0] * 91)
    stuck = tagging(requested(lost.model_copy(update={"head_learning_rate": 1e-2}), empty), TEST)
    assert stuck.facts["diverged"]
    assert not tagging(requested(SCRATCH), TEST).facts["diverged"]
    with pytest.raises(StudyError, match=r"taggers.it: the loss is no number .* lower it"):
        learn(requested(SCRATCH.model_copy(update={"learning_rate": float("inf")})))


def test_products_in_half_precision_give_almost_the_same_tagger(tmp_path: Path) -> None:
    """It is kept, and read again, in whole precision."""
    short = SCRATCH.model_copy(update={"epochs": 1})
    half = short.model_copy(update={"dtype": "bfloat16"})
    exact, rough = (learn(requested(settings)) for settings in (short, half))
    weights, others = exact.network.state_dict(), rough.network.state_dict()
    assert torch.bfloat16 not in {weight.dtype for weight in others.values()}
    assert any(not torch.equal(weight, others[name]) for name, weight in weights.items())
    near, far = exact.read(TEST.sentences)[1], rough.read(TEST.sentences)[1]
    torch.testing.assert_close(near, far, atol=0.1, rtol=0)
    rough.write(tmp_path)
    again = read(tmp_path, TYPES, half)
    assert torch.equal(again.read(TEST.sentences)[1], far)


def test_a_very_long_note_is_read_learned_from_and_tagged(tmp_path: Path) -> None:
    """Of 100,000 words on one line, without a full stop that ends a sentence."""
    words = ["He", "takes", "aspirin", "for", "cough", ","] * 16_667
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    spans = [Span(place, place + 1, TYPES[place % 6 // 4]) for place in range(2, len(words), 2)]
    spans = [span for span in spans if span.start % 6]
    lines = (
        f"T1\t{kind} {starts[start]} {starts[end] - 1}\t{words[start]}\n"
        for start, end, kind in spans
    )
    (tmp_path / "a.txt").write_text(" ".join(words), encoding="utf-8")
    (tmp_path / "a.ann").write_text("".join(lines), encoding="utf-8")
    began = time.process_time()
    corpus = read_standoff(tmp_path, TYPES)
    assert (corpus.sentences, corpus.spans) == ([words], [spans])
    names = learned(requested(DictionaryTagger(kind="dictionary"), corpus))
    assert names.tag(corpus.sentences) == [spans]
    linear = SCRATCH.model_copy(update={"head": "linear"})
    (found,) = learned(requested(linear)).tag(corpus.sentences)
    assert len(set(found) & set(spans)) > 0.9 * len(spans)
    assert time.process_time() - began < 60


def test_nothing_marked_is_refused() -> None:
    blank = Corpus(TRAIN.sentences, [[]] * len(TRAIN), TRAIN.documents)
    with pytest.raises(StudyError, match="nothing is marked"):
        learned(requested(CRF, blank))


def test_most_sentences_without_a_mention_are_left_out() -> None:
    many = made_up(3000, 4)
    empty = sum(not spans for spans in many.spans)
    kept = thinned(many, 0.1, seed=1)
    assert sum(map(bool, kept.spans)) == len(many) - empty
    assert abs(sum(not spans for spans in kept.spans) - 0.1 * empty) < 4 * (0.09 * empty) ** 0.5
    assert thinned(many, 1, seed=1) is many


def test_an_ensemble_is_the_likeliest_labelling_under_the_mean() -> None:
    """Two of which one is sure win against one, and I- never begins."""
    sure = torch.tensor([[0.0, 1, 0], [0, 0, 1.0]]).double()
    unsure = torch.tensor([[0.6, 0.3, 0.1], [0.4, 0.2, 0.4]]).double()
    begun = torch.tensor([[0.1, 0.0, 0.9], [0.1, 0.0, 0.9]]).double()
    test = Corpus([["a", "b"]], [[]], [0])

    def together(*known: torch.Tensor) -> list[list[Span]]:
        facts = {"learning_seconds": 1.0, "diverged": False}
        found = ensemble([Tagging([[]], each, facts) for each in known], ["A"], test)
        assert found.facts["learning_seconds"] == len(known)
        return list(map(list, found.spans))

    assert together(sure, unsure) == [[Span(0, 2, "A")]]
    assert together(begun, begun) == [[]]


def test_a_tagging_is_read_as_it_was_written(tmp_path: Path) -> None:
    facts = {"learning_seconds": 0.5, "diverged": False}
    known = torch.rand(5, 3).double()
    for one in (Tagging([[], [Span(0, 2, "A")]], known, facts), Tagging([[]], None, facts)):
        one.write(tmp_path)
        found = Tagging.read(tmp_path)
        assert (list(found.spans), found.facts) == (list(one.spans), facts)
        if one.probabilities is None:
            assert found.probabilities is None
        else:
            torch.testing.assert_close(found.probabilities, known, atol=1e-6, rtol=0)
    assert {file.name for file in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize("settings", [CRF, SCRATCH.model_copy(update={"epochs": 1})])
def test_nothing_of_the_test_reaches_what_is_learned(settings: object) -> None:
    """What is found in a sentence does not depend on which others are tested."""
    planted = [[DRUGS[0], "xylqobrix"]] * 30
    more = Corpus([*TEST.sentences, *planted], [*TEST.spans, *[[]] * 30], [0] * (len(TEST) + 30))
    alone, among = (tagging(requested(settings), test) for test in (TEST, more))
    assert list(alone.spans) == list(among.spans)[: len(TEST)]
    assert alone.probabilities is not None
    assert among.probabilities is not None
    shared = among.probabilities[: len(alone.probabilities)]
    torch.testing.assert_close(alone.probabilities, shared, atol=1e-5, rtol=0)
