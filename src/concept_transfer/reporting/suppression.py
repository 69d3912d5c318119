"""Small counts of patients stay inside the site: nothing rendered shows or reveals them."""

from __future__ import annotations

import pandas as pd

COMPLEMENT = "suppressed"


def below(threshold: int) -> str:
    """What stands in place of a small count."""
    return f"<{threshold}"


def few(positives: int, encounters: int, threshold: int) -> bool:
    """Whether so few encounters have the outcome, or so few have it not, that it must not show."""
    return min(positives, encounters - positives) < threshold


def suppress(
    frame: pd.DataFrame,
    count: str,
    threshold: int,
    of: str | None = None,
    revealing: tuple[str, ...] = (),
    others: pd.Series | None = None,
) -> pd.DataFrame:
    """The frame with small values of the column ``count`` replaced by ``<threshold``.

    ``of`` names the column that ``count`` is a part of: a count whose complement is small reads
    ``suppressed``, and so do the counts of the rows ``others`` (True), which would give away what
    is hidden elsewhere. Columns in ``revealing`` (shares of ``of``, for example) would give the
    count away and become missing wherever it is hidden; whole numbers stay whole.

    >>> sites = pd.DataFrame({"encounters": [90, 95, 80], "positives": [40, 3, 75]})
    >>> print(suppress(sites, "positives", threshold=11, of="encounters").to_string(index=False))
     encounters  positives
             90         40
             95        <11
             80 suppressed
    """
    counts = frame[count].astype("float64")
    small = counts < threshold
    told = pd.Series(False, index=frame.index) if others is None else others.astype(bool)
    if of is not None:
        told = told | ((frame[of].astype("float64") - counts < threshold) & ~small)
    shown = frame.copy()
    shown[count] = (
        frame[count].astype("object").mask(small, below(threshold)).mask(told, COMPLEMENT)
    )
    for column in revealing:
        whole = pd.api.types.is_integer_dtype(frame[column])
        values = frame[column].astype(object) if whole else frame[column]
        shown[column] = values.mask(small | told)
    return shown


def suppress_groups(
    frame: pd.DataFrame, by: list[str], threshold: int, revealing: tuple[str, ...]
) -> pd.DataFrame:
    """Groups that divide published totals, with what would give small counts away hidden.

    Rows that agree in the columns ``by`` are the groups of one whole, which is published elsewhere;
    columns ``encounters`` and ``positives``. Where a group has few encounters, few positives or few
    others, these counts (and the group's ``flag``) read ``suppressed`` and the columns
    ``revealing`` are missing. So it is with the smallest of the other groups, until the hidden ones
    together are not small: what they are together is the total less what is shown. That a count is
    ``suppressed`` does not tell whether it is small.
    """
    shown = frame.copy()
    words = [name for name in ("encounters", "positives", "flag") if name in frame]
    shown[words] = frame[words].astype(object)
    for _, groups in frame.groupby(by, sort=False):
        counts = groups[["encounters", "positives"]].astype(int)
        counts["others"] = counts["encounters"] - counts["positives"]
        small = (counts < threshold).any(axis=1)
        taken = list(groups.index[small])
        left = counts[~small].sort_values("encounters", kind="stable")
        for index in left.index:
            if not taken or (len(taken) > 1 and counts.loc[taken].sum().min() >= threshold):
                break
            taken.append(index)
        shown.loc[taken, words] = COMPLEMENT
        shown.loc[taken, list(revealing)] = float("nan")
    return shown


def not_alone(hidden: pd.Series, sizes: pd.Series) -> pd.Series:
    """``hidden`` (bool) with the smallest of the other parts of a published sum, if any is hidden.

    What one hidden part contributes could be computed from the sum and the parts shown.
    """
    if not hidden.any() or hidden.all():
        return hidden
    companion = sizes[~hidden].astype(float).idxmin()
    return hidden | (hidden.index == companion)
