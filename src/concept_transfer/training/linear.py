"""The linear layer behind the body, the last numbers of a replicate's flat parameters."""

from __future__ import annotations

from torch import Tensor


def linear_layer(parameters: Tensor, body_size: int) -> tuple[Tensor, Tensor]:
    """Views of the layer [R, 2, filters] and its bias [R, 2] in parameters [R, size]."""
    return parameters[:, body_size:-2].view(len(parameters), 2, -1), parameters[:, -2:]


def margins(features: Tensor, layer: Tensor, bias: Tensor) -> Tensor:
    """Logit of the positive class [R, n, 1] of features [R, n, filters].

    A sum, not a matrix product: that rounds otherwise for one replicate than for many.
    """
    slope = layer[:, 1:] - layer[:, :1]
    return (features * slope).sum(2, keepdim=True).add_((bias[:, 1:] - bias[:, :1])[..., None])
