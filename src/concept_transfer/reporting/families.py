"""What each family of comparisons asks, in words."""

from __future__ import annotations

from concept_transfer.comparison.contrasts import BEST_LOCAL, LADDER, SHUFFLED

QUESTIONS = {
    SHUFFLED: "Does an embedding beat its own vectors, given to the wrong concepts?",
    "random control": "Does an embedding beat random vectors of its width and lengths?",
    "against one-hot": "Does an embedding beat one-hot findings (of the same scale setting, where "
    "the study has them)?",
    "width and scale": "Does a control without meaning beat one-hot findings?",
    "encoder controls": "Does an encoder beat itself untrained, pre-trained on shuffled histories "
    "or begun with shuffled vectors, and an adapted language model its base?",
    LADDER: "What does every rung of the ladder gain over the one before, and over the first?",
    "unlabelled encounters": "Does looking at the target's encounters without labels help?",
    "tuning": "Does using target labels beat a model that uses none?",
    "target data only": "Does transfer beat the same model trained on the same target labels "
    "alone?",
    BEST_LOCAL: "Does transfer, or what uses no label anywhere, beat the target-only model that "
    "validation would choose at the same target size? (Under cross-fitting the choice sees labels "
    "that test in other folds, which favours that rival.)",
    "simple baselines": "Does the network, with the embedding that validation prefers (with every "
    "embedding under cross-fitting), beat a simple model on the same labels? Tuned networks meet "
    "the simple model on both sites' data.",
    "scale": "What does another scale of the same vectors do?",
    "learning rate": "What does a higher learning rate of the same strategy do?",
    "scale x learning rate": "Does the effect of the learning rate depend on the scale?",
}


def question_of(family: str) -> str:
    """The question of a family; of one that has no words of its own, its name."""
    return QUESTIONS.get(family, f"What do the comparisons of '{family}' show?")
