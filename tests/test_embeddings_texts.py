"""What a language model reads: templates, synonyms, definitions, prompts; the catalogue."""

import numpy as np
import pytest
from embedding_data import findings
from pydantic import TypeAdapter

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.embeddings import catalogue
from concept_transfer.embeddings.texts import token_texts
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.errors import StudyError
from concept_transfer.settings.embeddings import Embedding
from concept_transfer.study import load_study

VOCABULARY = findings(2)


def texts(tmp_path, vocabulary=VOCABULARY, prompt="{text}", **wording):
    config = TransformersEmbedding(
        provider="transformers", model="x", prompt=prompt, wording=wording
    )
    return token_texts("e", config, vocabulary, tmp_path)


def test_the_vocabularys_own_texts_are_the_default(tmp_path):
    assert texts(tmp_path).texts == VOCABULARY.texts


def test_each_state_has_its_template_and_other_serves_the_rest(tmp_path):
    made = texts(
        tmp_path,
        prompt="Represent: {text}!",
        templates={"absent": "denies {name}", "other": "{state} {category}"},
        same_text="allow",
    )
    by_token = [made.texts[i] for (i,) in made.members]
    assert by_token[1] == "Represent: denies finding a number 0!"
    assert by_token[0] == "Represent: present finding!"
    assert by_token[4] == "Represent: high temperature!"


def test_synonyms_become_one_mean_vector(tmp_path):
    path = tmp_path / "synonyms.tsv"
    path.write_text("concept\tsynonym\nC0000\tfirst\nC0000\tsecond\n")
    templates = {"present": "{name}", "absent": "no {name}"}
    made = texts(tmp_path, templates=templates, synonyms="synonyms.tsv")
    assert [made.texts[i] for i in made.members[1]] == [
        "no finding a number 0",
        "no first",
        "no second",
    ]
    vectors = np.arange(len(made.texts) * 2, dtype=np.float32).reshape(-1, 2)
    expected = vectors[list(made.members[1])].mean(axis=0)
    np.testing.assert_allclose(made.per_token(vectors)[1], expected)
    with pytest.raises(StudyError, match="'synonyms' needs templates"):
        texts(tmp_path, synonyms="synonyms.tsv")


def test_definitions_are_filled_in_and_missed_with_the_concepts_name(tmp_path):
    path = tmp_path / "definitions.tsv"
    path.write_text("concept\tdefinition\nC0000\ta sign of something\n")
    keys = {"templates": {"present": "{name}: {definition}"}, "definitions": "definitions.tsv"}
    one = findings(1)
    assert texts(tmp_path, one, **keys).texts[0] == "finding a number 0: a sign of something"
    with pytest.raises(StudyError, match=r"none for C0001 \(finding b number 1\)"):
        texts(tmp_path, **keys)


def test_two_tokens_of_one_text_are_an_error_unless_allowed(tmp_path):
    same = {"absent": "{name}", "present": "{name}"}
    with pytest.raises(StudyError, match=r"tokens 0 \(C0000, present\) and 1 \(C0000, absent\)"):
        texts(tmp_path, templates=same)
    made = texts(tmp_path, templates=same, same_text="allow")
    assert len(made.texts) == 5
    vectors = np.arange(5, dtype=np.float32)[:, None]
    assert made.per_token(vectors)[:4, 0].tolist() == [0, 0, 1, 1]


def test_an_empty_text_names_the_token(tmp_path):
    empty = Vocabulary(("C",), ("n",), ("finding",), ("present",), (" ",))
    with pytest.raises(StudyError, match=r"token 0 \(C, present\) has an empty text"):
        texts(tmp_path, empty)


def test_the_digest_follows_the_wording(tmp_path):
    digest = texts(tmp_path).digest
    assert digest == texts(tmp_path).digest
    assert digest != texts(tmp_path, prompt="query: {text}").digest


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"wording": {"templates": {"absent": "no {nmae}"}}}, "unknown placeholder {nmae}"),
        ({"prompt": "query"}, "placeholder {text} exactly once"),
        ({"prompt": "{text} {text}"}, "placeholder {text} exactly once"),
    ],
)
def test_bad_templates_are_config_errors(keys, message):
    with pytest.raises(StudyError, match=message.replace("{", r"\{").replace("}", r"\}")):
        study({"e": {"provider": "transformers", "model": "m", **keys}})


def study(embeddings):
    return load_study(
        {
            "study": "s",
            "vocabulary": "v.tsv",
            "task": {"label": "influenza"},
            "sites": {
                "a": {"adapter": "simulated", "network": "n"},
                "b": {"adapter": "simulated", "network": "n"},
            },
            "split": {"by": "share"},
            "embeddings": embeddings,
        }
    )


@pytest.mark.parametrize("entry", sorted(catalogue.entries()))
def test_every_catalogue_entry_is_a_valid_embedding_with_licence_and_citation(entry):
    content = catalogue.read(entry)
    config = TypeAdapter(Embedding).validate_python(catalogue.fill(entry, {}))
    assert config.catalogue == entry
    assert content["licence"]
    assert "doi:" in content["citation"] or "arXiv:" in content["citation"] or entry[:6] == "openai"


def test_a_study_names_an_entry_and_may_override_it():
    made = study(
        {
            "medbert_text": None,
            "bert_unit": {"catalogue": "bert", "scale": "unit", "pooling": "mean"},
        }
    ).embeddings
    assert made["medbert_text"].model == "Charangan/MedBERT"
    assert made["medbert_text"].pooling == "cls"
    assert made["bert_unit"].model == "google-bert/bert-base-uncased"
    assert (made["bert_unit"].scale, made["bert_unit"].pooling) == ("unit", "mean")


@pytest.mark.parametrize("name", ["medbert", "Med_BERT"])
def test_the_two_medberts_are_never_confused(name):
    with pytest.raises(StudyError, match=r"two models: MedBERT, which reads text, .*medbert_text"):
        study({name: None})


def test_an_unknown_entry_lists_the_known_ones():
    with pytest.raises(StudyError, match=r"no entry 'bertt'; it has .*bio_clinicalbert"):
        study({"bertt": None})


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        ({"a": {"provider": "pca", "of": "b", "width": 2}}, "'b', which is not defined"),
        (
            {
                "o": {"provider": "one_hot"},
                "a": {"provider": "concatenated", "of": ["o", "nowhere"]},
            },
            "'nowhere', which is not defined",
        ),
        (
            {
                "o": {"provider": "one_hot"},
                "r": {"provider": "random", "like": "o"},
                "a": {"provider": "average", "of": ["o", "r"]},
            },
            "'r', which is a control",
        ),
        (
            {
                "a": {"provider": "scaled", "of": "b", "scale": "unit"},
                "b": {"provider": "scaled", "of": "a", "scale": "unit"},
            },
            "embeddings.a is made from itself",
        ),
    ],
)
def test_parents_must_exist_be_no_control_and_form_no_circle(embeddings, message):
    with pytest.raises(StudyError, match=message):
        study(embeddings)


def test_controls_of_derived_tables_are_allowed():
    made = study(
        {
            "o": {"provider": "one_hot"},
            "p": {"provider": "pca", "of": "o", "width": 2},
            "s": {"provider": "shuffled", "of": "p"},
        }
    )
    assert set(made.embeddings) == {"o", "p", "s"}
