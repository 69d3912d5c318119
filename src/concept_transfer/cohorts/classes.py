"""The classes of a label: what a site must have of them, and how many encounters have each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from concept_transfer.errors import StudyError
from concept_transfer.settings.task import Task


def check_classes(labels: NDArray[np.int8], task: Task) -> None:
    """Raise StudyError unless labels are classes of the task, and two or more of them occur.

    A site may lack one of more than two classes: its models then give it a probability near 0.
    """
    names = task.class_names
    present = np.unique(labels)
    if len(present) and not 0 <= present[0] <= present[-1] < len(names):
        raise StudyError(
            f"the label takes the values {present.tolist()}; classes count from 0, and the task "
            f"has {len(names)}: {', '.join(names)}"
        )
    if len(present) < 2:
        only = f"all are of the class '{names[present[0]]}'" if len(present) else "there are none"
        raise StudyError(
            f"of {len(labels):,} encounters, {only}; a site needs encounters of two classes or "
            f"more, of {', '.join(names)}"
        )


def class_counts(labels: NDArray[np.int8], task: Task) -> dict[str, int]:
    """Class -> number of encounters, in the order of the task."""
    counts = np.bincount(labels, minlength=len(task.class_names)).tolist()
    return dict(zip(task.class_names, counts, strict=True))
