"""Plain-language sentences about effects; what they claim follows from verdicts and intervals."""

from __future__ import annotations

from typing import Any

from concept_transfer.evaluation.contrasts import parent_of
from concept_transfer.study import Study

Row = dict[str, Any]
UNDERPOWERED = "The study cannot say: no such comparison rests on enough positive test encounters."
UNTESTED = {"underpowered": "too few test positives", "not estimable": "no model to compare"}
VERDICT_WORDS = {
    "better": "beats",
    "worse": "loses to",
    "equivalent": "is equivalent to",
    "no evidence": "shows no evidence of a difference from",
    "not estimable": "could not be compared with",
}


def _amount(study: Study, row: Row) -> str:
    """The effect in words: signed difference, interval, number of comparisons."""
    many = f", mean of {row['comparisons']} comparisons" if row["comparisons"] > 1 else ""
    level = f"{100 * study.evaluation.confidence:g} %"
    return (
        f"{_signed(row['difference'])} AUROC ({level} interval {_signed(row['lower'])} to "
        f"{_signed(row['upper'])}{many})"
    )


def _signed(value: float) -> str:
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def _finding(study: Study, row: Row, a: str | None = None, b: str | None = None) -> str:
    words = VERDICT_WORDS[row["verdict"]]
    return f"{a or row['a']} {words} {b or row['b']}: {_amount(study, row)}"


def say_semantic(study: Study, rows: list[Row]) -> str:
    """Meaning is what an embedding has over its shuffled (else random) control."""
    sentences, helped = [], []
    own = [n for n in study.embeddings if parent_of(study, n) is None]
    for name in own:
        against = [r for r in rows if r["a"] == name and r["family"] == "meaning"]
        shuffled = [r for r in against if study.embeddings[r["b"]].provider == "shuffled"]
        decisive = (shuffled or against)[:1]
        one_hot = [r for r in rows if r["a"] == name and r["family"] == "against one-hot"][:1]
        if not decisive and not one_hot:
            continue
        if not decisive:
            sentences.append(
                f"{_finding(study, one_hot[0])}; without a control, meaning, width and scale "
                "cannot be told apart."
            )
            continue
        if decisive[0]["verdict"] == "better":
            helped.append(name)
        text = _finding(study, decisive[0])
        if one_hot:
            text += f". Its whole gain over {one_hot[0]['b']} is {_amount(study, one_hot[0])}"
            width = [
                r for r in rows if r["family"] == "width and scale" and r["a"] == decisive[0]["b"]
            ][:1]
            if width:
                text += (
                    f", of which {_signed(width[0]['difference'])} is reached by the control, "
                    "without meaning"
                )
        sentences.append(text + ".")
    if not any(r["family"] == "meaning" for r in rows):
        opening = "The study has no control, so it cannot tell."
    elif helped:
        opening = f"Meaning helps, on average, for {_listed(helped)}."
    else:
        opening = "No embedding beats its own control, on average: no evidence that meaning helps."
    return " ".join([opening, *sentences])


def say_tuning(study: Study, rows: list[Row]) -> str:
    hurt = [r for r in rows if r["family"] == "target data only" and r["verdict"] == "worse"]
    helped = [r for r in rows if r["family"] == "target data only" and r["verdict"] == "better"]
    asked = [r for r in rows if r["family"] == "target data only"]
    sentences = []
    if asked:
        sentences.append(
            f"Transfer beats training on the target's labels alone in {len(helped)} of "
            f"{len(asked)} combinations of strategy and target size, and does worse in {len(hurt)}"
            + (
                ": " + "; ".join(f"{_finding(study, r)} at {_labels(r['size'])}" for r in hurt)
                if hurt
                else ""
            )
            + "."
        )
    sizes = [str(size) for size in study.target_sizes]
    tuned = [r for r in rows if r["family"] == "tuning"]
    for strategy in dict.fromkeys(r["a"] for r in tuned):
        by_size = {r["size"]: r for r in tuned if r["a"] == strategy}
        known = [by_size[size] for size in _ascending(sizes) if size in by_size]
        worth = _from_here_on_better(known)
        if worth:
            sentences.append(
                f"{strategy} is worth it from {_labels(worth['size'])} on: "
                f"{_amount(study, worth)} over {worth['b']}."
            )
        else:
            last = known[-1]
            sentences.append(
                f"{strategy} is not shown to be worth it at any size studied; at "
                f"{_labels(last['size'])} it {VERDICT_WORDS[last['verdict']]} {last['b']}: "
                f"{_amount(study, last)}."
            )
        sentences += [
            f"At {_labels(r['size'])} {_finding(study, r)}."
            for r in known
            if r["verdict"] == "worse"
        ]
    return " ".join(sentences)


def _from_here_on_better(rows: list[Row]) -> Row | None:
    """The smallest size that is better, and so are all larger ones."""
    start = len(rows)
    while start > 0 and rows[start - 1]["verdict"] == "better":
        start -= 1
    return rows[start] if start < len(rows) else None


def _ascending(sizes: list[str]) -> list[str]:
    return sorted(sizes, key=lambda size: float("inf") if size == "all" else int(size))


def _labels(size: str) -> str:
    return "all target labels" if size == "all" else f"{size} target labels"


def say_simple(study: Study, rows: list[Row]) -> str:
    simple = [r for r in rows if r["verdict"] == "worse"]
    network = [r for r in rows if r["verdict"] == "better"]
    if simple and not network:
        opening = "Yes."
    elif network and not simple:
        opening = "No."
    elif simple:
        opening = "Sometimes."
    else:
        opening = "Neither wins: no evidence that the network differs from a simple model."
    details = [
        f"Strategy {r['strategy']}: {_finding(study, r, 'the network', _simple(r))}." for r in rows
    ]
    return " ".join([opening, *details])


def _simple(row: Row) -> str:
    """The simple model, and its strategy where that is another than the network's."""
    other = f" ({row['rival']})" if row["rival"] != row["strategy"] else ""
    return _plain(row["b"]) + other


def _plain(classifier: str) -> str:
    return {
        "logistic": "logistic regression",
        "gradient_boosting": "gradient boosting",
    }.get(classifier, classifier)


def say_rates(study: Study, rows: list[Row]) -> str:
    shown = [r for r in rows if r["verdict"] in ("better", "worse")]
    opening = f"{len(shown)} of {len(rows)} effects of scale, learning rate or both are shown."
    largest = sorted(shown, key=lambda r: -abs(r["difference"]))[:5]
    return " ".join([opening, *(f"{_finding(study, r)} (at {r['at']})." for r in largest)])


def say_claims(study: Study, rows: list[Row]) -> str:
    """How many claims survive, the verdict on each, and the effects that decide."""
    verdicts, details = [], []
    whole, part = 0, 0
    claims = dict.fromkeys(r["claim"] for r in rows)
    for claim in claims:
        tests = [r for r in rows if r["claim"] == claim]
        borne_out = [r["under"] for r in tests if r["verdict"] == "better"]
        effects = "; ".join(
            f"{r['under']}, {_finding(study, r)}"
            if r["comparisons"]
            else f"{r['under']}, {UNTESTED[r['verdict']]}"
            for r in tests
        )
        refuted = any(r["verdict"] == "worse" for r in tests)
        words = "Does not survive" if refuted else "Is not shown"
        if len(borne_out) == len(tests):
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


def say_choice(study: Study, rows: list[Row]) -> str:
    level = f"{100 * study.evaluation.confidence:g} %"
    sentences = []
    shown = [r for r in rows if not r["flag"]]
    if len(shown) > 1:
        costs = [r["regret"] for r in shown]
        sentences.append(
            f"Choosing by validation costs {_signed(min(costs))} to {_signed(max(costs))} AUROC "
            f"against what is best on other test patients, over {len(shown)} targets and target "
            "sizes."
        )
    for r in shown:
        sentences.append(
            f"On {r['target']} with {_labels(r['size'])}, validation most often chooses "
            f"{r['chosen']} ({r['chosen_by']} of {r['choices']} choices); its choices reach "
            f"AUROC {r['auroc_of_choices']:.3f}, a regret of {_signed(r['regret'])} ({level} "
            f"interval {_signed(r['lower'])} to {_signed(r['upper'])}) against what is best on "
            f"other test patients."
        )
    return " ".join(sentences) or UNDERPOWERED


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
