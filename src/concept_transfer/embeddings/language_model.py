"""A language model that turns texts into vectors: encoder or decoder, CPU or CUDA.

Texts are tokenized once and batched with texts of the same number of tokens. So no batch holds
padding: nothing is computed in vain, no mask is needed, and a vector does not depend (beyond
rounding) on the texts that share its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from concept_transfer.embeddings.dense_layers import load_dense
from concept_transfer.errors import StudyError

Pooling = Literal["cls", "mean", "last"]
_SHOWN = 80  # letters of a text
_TOKENS_A_BATCH = {"cpu": 1024, "cuda": 32768}


class LanguageModel:
    """Weights and tokenizer of one folder on one device.

    private: whether texts are patients' words, which no error shows.

    Raises StudyError where the folder holds an architecture that transformers does not know,
    code of its own that it cannot do without (it is never run), or weights that leave part of the
    model uninitialised.
    """

    def __init__(
        self,
        where: str,
        folder: Path,
        *,
        pooling: Pooling,
        device: str = "cpu",
        dtype: Literal["float32", "bfloat16"] = "float32",
        truncate: bool = False,
        pickled_weights: bool = False,
        private: bool = False,
    ) -> None:
        self._where, self._private = where, private
        self._pooling = pooling
        self._truncate = truncate
        self._tokenizer = load_tokenizer(where, folder)
        self._model = load_network(where, folder, getattr(torch, dtype), pickled_weights)
        self._dense = load_dense(where, folder)
        self._device = _moved_to(where, torch.nn.ModuleList([self._model, self._dense]), device)
        self._longest = longest_input(self._model.config, self._tokenizer)

    def encode(
        self, texts: Sequence[str], done: Callable[[int], None] = lambda count: None
    ) -> NDArray[np.float32]:
        """Vectors of texts, float32 [texts, width]; `done` hears how many texts each batch held.

        Raises StudyError for a text without tokens, or one that exceeds the model's length.
        """
        inputs = self._tokenize(texts)
        vectors: NDArray[np.float32] | None = None
        for batch in self._batches(inputs):
            pooled = self._forward(torch.tensor([inputs[i] for i in batch]))
            if vectors is None:
                vectors = np.empty((len(texts), pooled.shape[1]), dtype=np.float32)
            vectors[batch] = pooled
            done(len(batch))
        assert vectors is not None, "encode needs at least one text"
        return vectors

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        inputs: list[list[int]] = self._tokenizer(list(texts), verbose=False)["input_ids"]
        for position, ids in enumerate(inputs):
            if not ids:
                raise StudyError(
                    f"{self._where}: {self._named(texts[position])} has no token in this model; "
                    "give the concept a text in words"
                )
            if len(ids) > self._longest:
                if not self._truncate:
                    raise StudyError(
                        f"{self._where}: {self._named(texts[position])} has {len(ids)} tokens, the "
                        f"model reads {self._longest}; shorten the text, or set 'truncate: true' "
                        "to embed its beginning"
                    )
                inputs[position] = self._tokenizer(
                    texts[position], truncation=True, max_length=self._longest
                )["input_ids"]
        return inputs

    def _named(self, text: str) -> str:
        """A text in an error."""
        if self._private:
            return "a text of patients, which is not shown,"
        return f"the text '{text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}'"

    def _batches(self, inputs: list[list[int]]) -> Iterator[list[int]]:
        """Positions of texts of one length, as many as the device's budget of tokens allows."""
        budget = _TOKENS_A_BATCH.get(self._device.type, _TOKENS_A_BATCH["cpu"])
        by_length: dict[int, list[int]] = {}
        for position, ids in enumerate(inputs):
            by_length.setdefault(len(ids), []).append(position)
        for length in sorted(by_length, reverse=True):
            positions, count = by_length[length], max(1, budget // length)
            for start in range(0, len(positions), count):
                yield positions[start : start + count]

    def _forward(self, ids: torch.Tensor) -> NDArray[np.float32]:
        """Pooled vectors of a batch [texts, tokens]; one too large for the device is halved."""
        try:
            with torch.inference_mode():
                hidden = self._model(input_ids=ids.to(self._device)).last_hidden_state
                pooled: torch.Tensor = self._dense(pool(hidden.float(), self._pooling))
                return pooled.cpu().numpy()
        except torch.OutOfMemoryError:
            if len(ids) == 1:
                raise
        torch.cuda.empty_cache()
        return np.concatenate([self._forward(half) for half in ids.tensor_split(2)])


def pool(hidden: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """[texts, tokens, width] -> [texts, width]: first token, last token, or mean over tokens."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        return hidden[:, -1]
    return hidden.mean(dim=1)


def check_known(where: str, folder: Path) -> None:
    """Refuse (StudyError) a model whose configuration or tokenizer transformers cannot read."""
    _load_config(where, folder)
    load_tokenizer(where, folder)


@contextmanager
def _own_code_refused(where: str, folder: Path) -> Iterator[None]:
    """StudyError instead of an error that asks for trust_remote_code."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise StudyError(
            f"{where}: the model in {folder} needs code of its own (auto_map in its config.json or "
            "tokenizer_config.json), which is never run here, because such code can do anything "
            "on this machine. Choose a model whose architecture transformers has itself, or "
            "compute the vectors where you trust that code and give them with provider precomputed"
        ) from None


def load_tokenizer(where: str, folder: Path) -> Any:
    try:
        with _own_code_refused(where, folder):
            return AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(
            f"{where}: {folder} has no tokenizer that transformers can read "
            f"({_first_line(error)}); add tokenizer.json or the vocabulary file of the model"
        ) from error


def _load_config(where: str, folder: Path) -> Any:
    try:
        with _own_code_refused(where, folder):
            return AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except StudyError:
        raise
    except Exception as error:
        raise _cannot_load(where, folder, error) from error


def load_network(
    where: str,
    folder: Path,
    dtype: torch.dtype,
    pickled: bool,
    *,
    layers: int | None = None,
    masked_words: bool = False,
) -> Any:
    """The bare network (an encoder-decoder's encoder), in evaluation mode; layers: how many of the
    lowest it has (None: all); masked_words: with the layers that predict them, which are random
    where the folder lacks them."""
    config = _load_config(where, folder)
    if layers is not None:
        if layers > config.num_hidden_layers:
            raise StudyError(
                f"{where}: layers is {layers}, but the model in {folder} has "
                f"{config.num_hidden_layers}"
            )
        config.num_hidden_layers = layers
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with _own_code_refused(where, folder):
            kind = AutoModelForMaskedLM if masked_words else AutoModel
            model, info = kind.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                use_safetensors=None if pickled else True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except StudyError:
        raise
    except Exception as error:
        raise _cannot_load(where, folder, error) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()
    own = f"{model.base_model_prefix}." if masked_words else ""
    absent = sorted(
        key for key in info["missing_keys"] if key.startswith(own) and not key.startswith("pooler")
    )
    if absent:
        raise StudyError(
            f"{where}: the weights in {folder} lack {len(absent)} tensor(s) of the architecture "
            f"'{config.model_type}', the first is '{absent[0]}', which would stay random; "
            "config.json and weights do not belong together"
        )
    if config.is_encoder_decoder:
        model = model.get_encoder()
    return model.eval()


def _moved_to(where: str, model: Any, device: str) -> torch.device:
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise StudyError(
            f"{where}: the model cannot be put on the device '{device}' ({_first_line(error)}); "
            "correct resources.device, for example to 'cpu'"
        ) from error
    return torch.device(device)


def longest_input(config: Any, tokenizer: Any) -> int:
    """Tokens the model reads at most.

    RoBERTa and its kin count positions from their padding index + 1, so they read less than
    their position table is long.
    """
    positions = getattr(config, "max_position_embeddings", None) or 10**9
    if config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"}:
        positions -= config.pad_token_id + 1
    return int(min(positions, tokenizer.model_max_length))


def _cannot_load(where: str, folder: Path, error: Exception) -> StudyError:
    return StudyError(
        f"{where}: transformers cannot load the model in {folder} ({_first_line(error)})"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
