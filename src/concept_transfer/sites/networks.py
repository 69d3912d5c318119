"""Small Bayesian networks of a county's emergency-department encounters.

    disease -> season
    disease -> age group -> comorbidity
    (disease, age group, comorbidity) -> what is written about each sign

Given disease, age group and comorbidity, signs are independent, and about a sign one token is
written or none. The joint causes take so few values that the probability of a disease given what
was written is an exact sum over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concept_transfer.concepts.vocabulary import Vocabulary
from concept_transfer.errors import StudyError, choices
from concept_transfer.inputs.rows import CompressedRows
from concept_transfer.settings.task import Task
from concept_transfer.sites.tokens import allowed_tokens

Array = NDArray[np.float64]
_SMALLEST = 1e-300
_ENCOUNTERS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Finding:
    """What may be written about one sign: one of the tokens (concept, state), or nothing.

    `probabilities` broadcast to [disease, age, comorbidity, season, token] and sum to at most 1
    over tokens; nothing is written with the rest.
    """

    tokens: tuple[tuple[str, str], ...]
    probabilities: Array


@dataclass(frozen=True)
class Network:
    """A county: `joint` [disease, age, comorbidity, season] sums to 1.

    `visits[k]` is the share of patients who come k + 1 times; all their encounters share age
    group and comorbidity.
    """

    diseases: tuple[str, ...]
    ages: tuple[str, ...]
    seasons: tuple[str, ...]
    joint: Array
    visits: tuple[float, ...]
    findings: tuple[Finding, ...]

    def chances(self, finding: Finding) -> Array:
        """Probability of each token of the finding, [joint.size, tokens]."""
        shape = (*self.joint.shape, len(finding.tokens))
        return np.broadcast_to(finding.probabilities, shape).reshape(self.joint.size, -1)


@dataclass(frozen=True)
class Sample:
    """Sampled encounters, one entry an encounter (n); an entry is a position in the network.

    `written` int8 [n, findings] holds the position of the finding's token, or the number of its
    tokens where nothing was written. `patient` ascends from 0.
    """

    patient: NDArray[np.int64]
    disease: NDArray[np.int64]
    season: NDArray[np.int64]
    written: NDArray[np.int8]


def sample(network: Network, encounters: int, seed: int) -> Sample:
    """Draw encounters; every single one follows the network, those of a patient are related."""
    rng = np.random.default_rng(seed)
    visits = 1 + _draw(np.array([network.visits]), np.zeros(encounters, np.int64), rng)
    patient = np.repeat(np.arange(encounters), visits)[:encounters]
    _, ages, comorbidities, seasons = network.joint.shape
    traits = network.joint.sum(axis=(0, 3)).reshape(1, -1)
    trait = _draw(traits, np.zeros(patient[-1] + 1, np.int64), rng)[patient]
    illnesses = network.joint.transpose(1, 2, 0, 3).reshape(ages * comorbidities, -1)
    disease, season = np.divmod(_draw(illnesses, trait, rng), seasons)
    cause = (disease * ages * comorbidities + trait) * seasons + season
    written = np.empty((encounters, len(network.findings)), np.int8, order="F")
    for column, finding in enumerate(network.findings):
        chances = network.chances(finding)
        nothing = 1 - chances.sum(axis=1, keepdims=True)
        written[:, column] = _draw(np.hstack([chances, nothing]), cause, rng)
    return Sample(patient, disease, season, written)


def posterior(
    network: Network, findings: CompressedRows, vocabulary: Vocabulary, task: Task
) -> Array:
    """P(class | tokens of the encounter), float64 [n, classes], exact up to rounding.

    Tokens that the task hides, and findings that it does not tell from unrecorded ones
    (`not_recorded: absent`), are summed out, so no model on the same tokens has a higher
    expected AUROC. Raises StudyError where label or vocabulary lack what the network has.
    """
    from scipy.special import softmax

    classes = class_of_diseases(network, task)
    nothing, gain = _log_likelihood(network, vocabulary, _telling(vocabulary, task))
    result = np.zeros((len(findings), len(task.class_names)))
    for start in range(0, len(findings), _ENCOUNTERS_AT_ONCE):
        stop = start + _ENCOUNTERS_AT_ONCE
        counts = findings.part(start, stop).matrix(len(vocabulary))
        causes = softmax(nothing + counts @ gain, axis=1).reshape(-1, *network.joint.shape)
        for disease, number in enumerate(classes):
            result[start:stop, number] += causes[:, disease].sum(axis=(1, 2, 3))
    return result


def class_of_diseases(network: Network, task: Task) -> NDArray[np.int8]:
    """The class that each disease of the network belongs to, int8 [diseases].

    A class is the disease of its name. The first may be no disease; it then holds all diseases
    that no other class names. Raises StudyError for classes that the network cannot give.
    """
    first, *others = names = task.class_names
    known = network.diseases
    for name in others:
        if name not in known:
            said = "task.label is" if task.classes is None else "task.classes names"
            raise StudyError(
                f"{said} '{name}', which is no disease of the simulated network; choose from "
                f"{choices(known)}"
            )
    rest = [disease for disease in known if disease not in names]
    if rest and first in known:
        raise StudyError(
            f"task.classes leaves out {choices(rest)}; name every disease of the simulated "
            "network, or begin with a class that is none of them and stands for all others"
        )
    if not rest and first not in known:
        raise StudyError(
            f"task.classes begins with '{first}', which is no disease of the simulated network "
            "and would stand for all others, but every disease has its own class"
        )
    return np.array([names.index(d) if d in names else 0 for d in known], np.int8)


def _draw(weights: Array, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One position per entry of `rows`, with chances proportional to weights[row]."""
    limits = weights.cumsum(axis=1)
    limits /= limits[:, -1:]
    chance = rng.random(len(rows))
    drawn = np.zeros(len(rows), np.int64)
    for limit in limits.T[:-1]:
        drawn += chance >= limit[rows]
    return drawn


def _telling(vocabulary: Vocabulary, task: Task) -> NDArray[np.bool_]:
    """Tokens that mean exactly what was written, bool [tokens]."""
    allowed = allowed_tokens(vocabulary, task)
    if task.not_recorded == "omit":
        return allowed
    return np.asarray(allowed & (np.array(vocabulary.states) != "absent"))


def _log_likelihood(
    network: Network, vocabulary: Vocabulary, telling: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Log joint probability of each cause [causes] when nothing is written, and what each token
    adds to it [tokens, causes]."""
    causes = network.joint.size
    nothing = _log(network.joint.ravel())
    gain = np.zeros((len(vocabulary), causes))
    for finding in network.findings:
        tokens = np.array([vocabulary.token(*token) for token in finding.tokens])
        told = telling[tokens]
        chances = network.chances(finding)[:, told]
        silence = _log(1 - chances.sum(axis=1))
        nothing += silence
        gain[tokens[told]] = (_log(chances) - silence[:, None]).T
    return nothing, gain


def _log(probabilities: Array) -> Array:
    return np.log(np.maximum(probabilities, _SMALLEST))
