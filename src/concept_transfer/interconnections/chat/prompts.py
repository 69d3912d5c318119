"""What a chat model is asked, and what counts as an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRADES = 3

BINARY = (
    "Condition: {name}\n\nList:\n{list}\n\nWhich conditions of the list do patients with the "
    "condition above have more often than other patients? Answer with their numbers, separated by "
    "commas, and nothing else. Answer none if there is none.",
    "Here are conditions, each with a number:\n{list}\n\nA patient has this: {name}. Which of the "
    "conditions become more likely by that? Give the numbers only, with commas between them, or "
    "the word none.",
    "{list}\n\nThe lines above are conditions. Choose those that tend to occur together with: "
    "{name}. Reply with nothing but their numbers, separated by commas, or none if no line fits.",
)
GRADED = (
    "Condition: {name}\n\nList:\n{list}\n\nFor each condition of the list, how much more often do "
    "patients with the condition above have it than other patients? 0: not, 1: a little, 2: "
    "clearly, 3: very much. Answer with one line each, number: grade, and nothing else.",
    "Here are conditions, each with a number:\n{list}\n\nA patient has this: {name}. Grade for "
    "each condition how much more likely it becomes by that, from 0 (not at all) to 3 (very much). "
    "Write lines of the form number: grade, one for each condition, and nothing more.",
    "{list}\n\nThe lines above are conditions. How strongly does each tend to occur together with: "
    "{name}? Reply with a line for each, its number, a colon and a grade (0 none, 1 weak, 2 clear, "
    "3 strong).",
)
PAIRWISE = (
    "Do patients with {name} have {other} more often than other patients? Answer yes or no.",
    "A patient has this: {name}. Does that make {other} more likely? Answer with one word, yes or "
    "no.",
    "Does {other} tend to occur together with {name}? Reply yes or no, and nothing else.",
)
PHRASINGS = {"binary": BINARY, "graded": GRADED, "pairwise": PAIRWISE}


def asked(kind: str, phrasing: int, name: str, others: Sequence[str]) -> str:
    """The prompt about a condition and others; of pairwise prompts there is one other."""
    template = PHRASINGS[kind][phrasing]
    if kind == "pairwise":
        return template.format(name=name, other=others[0])
    lines = "\n".join(f"{number}. {other}" for number, other in enumerate(others, 1))
    return template.format(name=name, list=lines)


def understood(kind: str, answer: str, count: int) -> Array | None:
    """What an answer says of each of `count` others, float64 [count], NaN of those that it does not
    grade; None where it is no answer to the question: words, numbers that are not in the list.

    >>> understood("binary", "1, 3.", 3).tolist()
    [1.0, 0.0, 1.0]
    >>> understood("binary", "It depends on 2 things", 3) is None
    True
    """
    text = answer.strip().lower()
    if kind == "pairwise":
        word = re.fullmatch(r"(yes|no)\W*", text)
        return None if word is None else np.array([float(word[1] == "yes")])
    found = np.full(count, 0.0 if kind == "binary" else np.nan)
    if kind == "binary":
        if re.fullmatch(r"none\W*", text):
            return found
        if not re.fullmatch(r"\d+(?:\s*[,;\n]\s*\d+)*\s*\.?", text):
            return None
        graded = [(int(number), 1) for number in re.findall(r"\d+", text)]
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        matches = [re.fullmatch(r"\s*(\d+)\s*[:.)]\s*(\d+)\s*", line) for line in lines]
        if not matches or not all(matches):
            return None
        graded = [(int(match[1]), int(match[2])) for match in matches if match]
    for number, grade in graded:
        if not 1 <= number <= count or not 0 <= grade <= GRADES:
            return None
        found[number - 1] = grade
    return found
