"""The linear layer behind the body, whose numbers follow the body's in the flat parameters."""

from __future__ import annotations

from torch import Tensor

from concept_transfer.training.bodies import Body


def linear_layer(parameters: Tensor, body: Body) -> tuple[Tensor, Tensor]:
    """Views of the layer [R, 2, filters] and its bias [R, 2] in parameters [R, size]."""
    end = body.size + 2 * body.filters
    layer = parameters[:, body.size : end].view(len(parameters), 2, body.filters)
    return layer, parameters[:, end : end + 2]


def margins(features: Tensor, layer: Tensor, bias: Tensor) -> Tensor:
    """Logit of the positive class [R, n, 1] of features [R, n, filters].

    A sum, not a matrix product: that rounds otherwise for one replicate than for many.
    """
    slope = layer[:, 1:] - layer[:, :1]
    return (features * slope).sum(2, keepdim=True).add_((bias[:, 1:] - bias[:, :1])[..., None])


def probability(margin: Tensor) -> Tensor:
    """The logistic function, rounded from float64: vectorised float32 code rounds by position."""
    return margin.double().sigmoid().to(margin.dtype)
