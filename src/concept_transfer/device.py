"""The torch device that the config asks for, tried by the job that needs it."""

from __future__ import annotations

from concept_transfer.errors import StudyError


def usable_device(device: str) -> str:
    """The device itself, once this machine has put a number on it (torch is imported).

    Raises StudyError that says what torch has against it.
    """
    import torch

    try:
        torch.ones(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise StudyError(
            f"resources.device is '{device}', which torch cannot use on this machine ({reason}); "
            "run the study where it can, or set 'device: cpu'"
        ) from None
    return device
