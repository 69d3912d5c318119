"""Model files from the Hugging Face hub, with errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from concept_transfer.embeddings.dense_layers import dense_folders
from concept_transfer.errors import StudyError

if TYPE_CHECKING:
    from concept_transfer.embeddings.model_files import ModelSource

_SMALL_FILES = ["*.json", "*.txt", "*.model"]


def download(where: str, source: ModelSource) -> Path:
    """Fetch a model (or find it in the hub's local cache); the folder is named by its commit.

    Raises StudyError: no such model or revision, gated, or hub unreachable.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def fetch(patterns: list[str], ignored: str = "*/*") -> Path:
        return Path(
            snapshot_download(
                source.model,
                revision=source.revision,
                allow_patterns=patterns,
                ignore_patterns=[ignored],
            )
        )

    where = f"{where}: model '{source.model}'"
    try:
        folder = fetch([*_SMALL_FILES, "*.safetensors"])
        if source.pickled_weights and not any(folder.glob("*.safetensors")):
            folder = fetch([*_SMALL_FILES, "pytorch_model*.bin"])
        dense = [part.name for part in dense_folders(where, folder)]
        if dense:
            fetch([f"{part}/*" for part in dense], ignored="*.bin")
        return folder
    except GatedRepoError:
        raise StudyError(
            f"{where} is gated: its owner must grant you access. Ask for it on "
            f"https://huggingface.co/{source.model}, then run 'hf auth login' or set HF_TOKEN"
        ) from None
    except RevisionNotFoundError:
        raise StudyError(
            f"{where} has no revision '{source.revision}' on the hub; give a commit, tag or branch"
        ) from None
    except RepositoryNotFoundError:
        raise StudyError(
            f"{where} is neither a folder here nor a public model on the hub; correct the name, "
            "or log in with 'hf auth login' if the model is private"
        ) from None
    except HFValidationError:
        raise StudyError(
            f"{where} is neither a folder here nor a hub id (owner/name); give one of them or "
            "package:NAME"
        ) from None
    except (LocalEntryNotFoundError, OSError) as error:
        raise StudyError(
            f"{where} is not in the local cache and the hub cannot be reached "
            f"({type(error).__name__}). Without network: download the model elsewhere (hf download "
            f"{source.model} --local-dir FOLDER), copy the folder here and set 'model: FOLDER'"
        ) from None
