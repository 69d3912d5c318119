"""Small counts of patients stay inside the site: nothing rendered shows or reveals them."""

from __future__ import annotations

import pandas as pd

COMPLEMENT = "suppressed"


def hidden(threshold: int) -> str:
    """What stands in place of a small count."""
    return f"<{threshold}"


def suppress(
    frame: pd.DataFrame,
    count: str,
    threshold: int,
    of: str | None = None,
    revealing: tuple[str, ...] = (),
) -> pd.DataFrame:
    """The frame with small values of the column ``count`` replaced by ``<threshold``.

    ``of`` names the column that ``count`` is a part of: a count whose complement is small reads
    ``suppressed``. Columns in ``revealing`` (shares of ``of``, for example) would give the count
    away and become missing wherever it is hidden; whole numbers stay whole.
    """
    counts = frame[count].astype("float64")
    small = counts < threshold
    complement = pd.Series(False, index=frame.index)
    if of is not None:
        complement = (frame[of].astype("float64") - counts < threshold) & ~small
    shown = frame.copy()
    shown[count] = (
        frame[count].astype("object").mask(small, hidden(threshold)).mask(complement, COMPLEMENT)
    )
    for column in revealing:
        whole = pd.api.types.is_integer_dtype(frame[column])
        values = frame[column].astype(object) if whole else frame[column]
        shown[column] = values.mask(small | complement)
    return shown


def suppress_parts(parts: list[int], threshold: int) -> list[int | str]:
    """Parts of a published total, the small ones hidden.

    One hidden part alone could be computed from the total, so the smallest of the others is
    hidden with it.

    >>> suppress_parts([4, 90, 25], 11)
    ['<11', 90, 'suppressed']
    """
    shown: list[int | str] = [hidden(threshold) if part < threshold else part for part in parts]
    large = [index for index, part in enumerate(parts) if part >= threshold]
    if len(parts) - len(large) == 1 and large:
        shown[min(large, key=lambda index: parts[index])] = COMPLEMENT
    return shown


def suppress_groups(
    frame: pd.DataFrame, by: list[str], threshold: int, revealing: tuple[str, ...]
) -> pd.DataFrame:
    """Groups that divide published totals, with what would give small counts away hidden.

    Rows that agree in the columns ``by`` are the groups of one whole, which is published elsewhere;
    columns ``encounters`` and ``positives``. Where a group has few encounters, few positives or few
    others, its counts and the columns ``revealing`` are hidden, and so are those of a second group,
    because one alone could be computed from the total.
    """
    shown = frame.copy()
    shown[["encounters", "positives"]] = frame[["encounters", "positives"]].astype(object)
    for _, own in frame.groupby(by, sort=False):
        counts = {
            "encounters": own["encounters"],
            "positives": own["positives"],
            "others": own["encounters"] - own["positives"],
        }
        parts = {
            name: suppress_parts([int(n) for n in values], threshold)
            for name, values in counts.items()
        }
        for place, index in enumerate(own.index):
            texts = {name: values[place] for name, values in parts.items()}
            if not any(isinstance(text, str) for text in texts.values()):
                continue
            for name in ("encounters", "positives"):
                small = counts[name].loc[index] < threshold
                shown.loc[index, name] = hidden(threshold) if small else COMPLEMENT
            shown.loc[index, list(revealing)] = float("nan")
    return shown
