"""Plain-language sentences about effects; what they claim follows from verdicts and intervals."""

from __future__ import annotations

from typing import Any

from concept_transfer.comparison.comparisons import PERMUTATION
from concept_transfer.comparison.permutations import is_small
from concept_transfer.study import Study

Row = dict[str, Any]
UNDERPOWERED = (
    "The study cannot say: no such comparison rests on enough test encounters of the rarer class."
)
UNTESTED = {
    "underpowered": "too few test encounters of the rarer class",
    "not estimable": "no model to compare",
}
VERDICT_WORDS = {
    "better": "beats",
    "worse": "loses to",
    "equivalent": "is equivalent to",
    "no evidence": "is not shown to differ from",
    "too few replicates": "has too few replicates for a verdict against",
    "not tested": "was not tested against",
    "not estimable": "could not be compared with",
}
DECIDED = ("better", "worse", "equivalent")
PLAIN = {"logistic": "logistic regression", "gradient_boosting": "gradient boosting"}


def _amount(study: Study, row: Row) -> str:
    """The effect in words: signed difference and the interval that agrees with the verdict."""
    if row["test"] == PERMUTATION:
        return (
            f"{_signed(row['difference'])} AUROC over the mean of the permutations, of which the "
            f"middle {100 * study.evaluation.confidence:g} % lie {_signed(row['lower'])} to "
            f"{_signed(row['upper'])} away (p {row['p_holm']:.2g})"
        )
    adjusted = row["lower_holm"] == row["lower_holm"]
    names = ("lower_holm", "upper_holm") if adjusted else ("lower", "upper")
    low, high = (_signed(row[name]) for name in names)
    words = "interval, adjusted for all comparisons," if adjusted else "interval"
    level = f"{100 * study.evaluation.confidence:g} %"
    return f"{_signed(row['difference'])} AUROC ({level} {words} {low} to {high})"


def _signed(value: float) -> str:
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def _finding(study: Study, row: Row, a: str | None = None, b: str | None = None) -> str:
    words = VERDICT_WORDS[row["verdict"]]
    return f"{a or row['a']} {words} {b or row['b']}: {_amount(study, row)}"


def _range(rows: list[Row], where: Any) -> str:
    """The lowest and the highest difference of all rows, each with its place."""
    low = min(rows, key=lambda row: row["lowest"])
    high = max(rows, key=lambda row: row["highest"])
    return (
        f"single differences run from {_signed(low['lowest'])} ({where(low)}, "
        f"{low['lowest_at']}) to {_signed(high['highest'])} ({where(high)}, {high['highest_at']})"
    )


def _undecided(rows: list[Row]) -> str:
    """What became of the rows that neither side wins."""
    counts: dict[str, int] = {}
    words = {
        "mixed": "differ in sign between directions",
        "no evidence": "are undecided",
        "too few replicates": "have too few replicates for a verdict",
        "equivalent": "are equivalent",
        "not estimable": "could not be compared",
    }
    for row in rows:
        if row["verdict"] in words:
            counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    told = ", ".join(f"{counts[name]} {words[name]}" for name in words if name in counts)
    return f"; of the others, {told}" if told else ""


def say_semantic(study: Study, rows: list[Row]) -> str:
    """Meaning is what beats shuffled, random and one-hot vectors of one length, cell by cell."""
    if not rows:
        return (
            "The study cannot tell: beside its shuffled control an embedding needs a random one "
            "(provider random, like: its name), and a strategy that starts from a source."
        )
    tested = [row for row in rows if "shuffles" in row]
    if not tested:
        return UNDERPOWERED
    shown = [row for row in tested if row["shown"]]
    smallest = 1 / (tested[0]["shuffles"] + 1)
    if not is_small(smallest, study.evaluation.confidence):
        opening = (
            f"This study cannot show it: with {tested[0]['shuffles']} shuffles no p value can be "
            f"below {smallest:.2g}."
        )
    elif shown:
        opening = (
            f"Yes, in {len(shown)} of {len(tested)} tested cases: "
            f"{'; '.join(_case(row) for row in shown)}."
        )
    else:
        opening = f"Not shown in any of {len(tested)} tested cases."
    kind = (
        "A case counts only if the embedding beats its own vectors on permuted concepts, random "
        "vectors and one-hot findings, all of one length."
    )
    return " ".join([opening, kind, *(_meaning_sentence(row) for row in tested)])


def _case(row: Row) -> str:
    return f"{row['embedding']} {_used(row['strategy'], row['size'])}, {_direction(row)}"


def _direction(row: Row) -> str:
    return f"{row['source']} → {row['target']}"


def _used(strategy: str, size: str) -> str:
    return strategy if size == "0" else f"{strategy} with {_labels(size)}"


def _meaning_sentence(row: Row) -> str:
    against = [
        f"{row[rival]} {_signed(row[f'{rival}_difference'])}, {row[f'{rival}_verdict']}"
        for rival in ("random", "one_hot")
        if f"{rival}_difference" in row
    ]
    over = f"; over {' and '.join(against)}" if against else ""
    return (
        f"{_case(row)}: AUROC {row['auroc']:.3f}, permuted {row['shuffled_lowest']:.3f} to "
        f"{row['shuffled_highest']:.3f} (p {row['p_max_t']:.2g}){over}."
    )


def say_tuning(study: Study, rows: list[Row]) -> str:
    asked = [r for r in rows if r["b"] == "best target-only model"]
    helped, hurt = _of(asked, "better"), _of(asked, "worse")
    sentences = []
    if asked:
        sentences.append(
            "Against the target-only model that validation would choose, transfer wins in "
            f"{len(helped)} of {len(asked)} combinations of model, strategy and target size and "
            f"loses in {len(hurt)}{_undecided(asked)}; {_range(asked, _tuned)}."
        )
    sizes = _ascending([str(size) for size in study.target_sizes])
    tuned = [r for r in rows if r["b"] != "best target-only model"]
    for strategy, rival in dict.fromkeys((r["a"], r["b"]) for r in tuned):
        own = [r for r in tuned if (r["a"], r["b"]) == (strategy, rival)]
        first: dict[str, list[Row]] = {}
        for model in dict.fromkeys(r["model"] for r in own):
            by_size = {r["size"]: r for r in own if r["model"] == model}
            worth = _from_here_on_better([by_size[size] for size in sizes if size in by_size])
            if worth:
                first.setdefault(worth["size"], []).append(worth)
        for size, winners in first.items():
            sentences.append(
                f"{strategy} beats {rival} from {_labels(size)} on with "
                f"{_listed([_plain(r['model']) for r in winners])}: {_span(winners)}."
            )
        for row in _of(own, "better"):
            if not any(row["model"] == winner["model"] for w in first.values() for winner in w):
                sentences.append(
                    f"At {_labels(row['size'])} {strategy} beats {rival} with "
                    f"{_plain(row['model'])}, but not at every larger size: {_span([row])}."
                )
        if not _of(own, "better"):
            sentences.append(f"{strategy} is not shown to beat {rival} at any size studied.")
        sentences += [
            f"At {_labels(r['size'])} {_finding(study, r)} with {_plain(r['model'])}."
            for r in _of(own, "worse")
        ]
    return " ".join(sentences) or UNDERPOWERED


def _of(rows: list[Row], verdict: str) -> list[Row]:
    return [row for row in rows if row["verdict"] == verdict]


def _tuned(row: Row) -> str:
    return f"{_plain(row['model'])} {_used(row['a'], row['size'])}"


def _span(rows: list[Row]) -> str:
    """The effects of rows of one sign."""
    low, high = min(r["difference"] for r in rows), max(r["difference"] for r in rows)
    if len(rows) == 1:
        return f"{_signed(low)} AUROC"
    return f"{_signed(low)} to {_signed(high)} AUROC"


def _from_here_on_better(rows: list[Row]) -> Row | None:
    """The smallest size that is better, and so are all larger ones."""
    start = len(rows)
    while start > 0 and rows[start - 1]["verdict"] == "better":
        start -= 1
    return rows[start] if start < len(rows) else None


def _ascending(sizes: list[str]) -> list[str]:
    return sorted(sizes, key=lambda size: float("inf") if size == "all" else int(size))


def _labels(size: str) -> str:
    return {"all": "all target labels", "0": "no target labels"}.get(size, f"{size} target labels")


def say_simple(study: Study, rows: list[Row]) -> str:
    """Counts and range first; then every case in which one side wins."""
    simple, network = _of(rows, "worse"), _of(rows, "better")
    total = len(rows)
    if simple:
        opening = f"A simple model wins in {len(simple)} of {total} combinations of "
    elif network:
        opening = f"No simple model is shown to win in {total} combinations of "
    else:
        opening = f"Neither is shown to win in {total} combinations of "
    opening += "strategy, target size and simple model"
    opening += f", the network in {len(network)}" if network else ""
    return " ".join(
        [
            f"{opening}{_undecided(rows)}; network less simple model: {_range(rows, _rival)}.",
            *(
                f"{_used(r['strategy'], r['size'])}: "
                f"{_finding(study, r, 'the network', _simple(r))}."
                for r in rows
                if r["verdict"] in DECIDED
            ),
        ]
    )


def _rival(row: Row) -> str:
    return f"{_used(row['strategy'], row['size'])} against {_simple(row)}"


def _simple(row: Row) -> str:
    """The simple model, and its strategy where that is another than the network's."""
    other = f" ({row['rival']})" if row["rival"] != row["strategy"] else ""
    return f"{_plain(row['b'])}{other}"


def _plain(model: str) -> str:
    return PLAIN.get(model, model)


def say_rates(study: Study, rows: list[Row]) -> str:
    shown = [r for r in rows if r["verdict"] in ("better", "worse")]
    opening = (
        f"{len(shown)} of {len(rows)} effects of scale, learning rate or both are shown"
        f"{_undecided(rows)}."
    )
    largest = sorted(shown, key=lambda r: -abs(r["difference"]))[:5]
    return " ".join(
        [
            opening,
            *(f"{_finding(study, r)} (at {r['at']}, {_labels(r['size'])})." for r in largest),
        ]
    )


def say_claims(study: Study, rows: list[Row]) -> str:
    """How many claims survive, the verdict on each, and the effects that decide."""
    verdicts, details = [], []
    whole, part = 0, 0
    claims = dict.fromkeys(r["claim"] for r in rows)
    for claim in claims:
        tests = [r for r in rows if r["claim"] == claim]
        conditions = dict.fromkeys(r["under"] for r in tests)
        borne_out = [
            under
            for under in conditions
            if all(r["verdict"] == "better" for r in tests if r["under"] == under)
        ]
        effects = "; ".join(
            f"{_place(r)}, {UNTESTED[r['verdict']]}"
            if r["verdict"] in UNTESTED
            else f"{_place(r)}, {_finding(study, r)}"
            for r in tests
        )
        refuted = any(r["verdict"] == "worse" for r in tests)
        words = "Does not survive" if refuted else "Is not shown"
        if len(borne_out) == len(conditions):
            whole, words = whole + 1, "Survives"
        elif borne_out:
            part, words = part + 1, f"Holds only {_listed(borne_out)}"
        told = f"“{claim.rstrip('.')}”"
        verdicts.append(f"{words}: {told}.")
        details.append(f"{told}: {effects}.")
    opening = (
        f"Stated claims that survive under all conditions tested: {whole} of {len(claims)}; under "
        f"some: {part}; under none: {len(claims) - whole - part}."
    )
    return " ".join([opening, *verdicts, "The effects behind this.", *details])


def _place(row: Row) -> str:
    direction = _direction(row) if row["source"] else row["target"]
    return f"{row['under']} ({direction}, {_labels(row['size'])})"


def say_choice(study: Study, rows: list[Row]) -> str:
    """What validation chooses, and the bracket that holds what the choice costs."""
    sentences = []
    for r in rows:
        if r["flag"]:
            continue
        often = 2 * r["chosen_by"] > r["choices"]
        favourite = (
            f"mostly {r['chosen']} ({r['chosen_by']:.3g} of {r['choices']} choices)"
            if often
            else f"no model in more than half of its {r['choices']} choices"
        )
        sentences.append(
            f"On {r['target']} with {_labels(r['size'])}, validation chooses {favourite}; its "
            f"choices reach AUROC {r['auroc_of_choices']:.3f} and cost between "
            f"{_signed(r['regret'])} (cross-fitted, against what is best on other test "
            f"patients) and {_signed(r['regret_naive'])} (against the best of "
            f"{r['candidates']} on the same ones, which flatters hindsight)."
        )
    return " ".join(sentences) or UNDERPOWERED


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
