"""The paragraph of the methods section on encoders of patients' histories."""

from __future__ import annotations

from concept_transfer.reporting.words import count, listing
from concept_transfer.settings.encoders import CodeEncoder
from concept_transfer.study import Study


def encoders(study: Study) -> str:
    """What each encoder is and how it was pre-trained; "" where there is none."""
    if not study.encoders:
        return ""
    described = "; ".join(f"{name} ({_described(name, study)})" for name in study.encoders)
    controls = [name for name in study.encoders if study.is_control(name)]
    said = f" Controls: {listing(controls)}." if controls else ""
    own = not all(map(study.is_received, study.encoders))
    seen = " Pre-training here saw no patient who tests, and no label." if own else ""
    return (
        "Each code of a patient's history, background first, then by time, became a vector, and an "
        f"encoder read the sequence: {described}.{seen}{said}"
    )


def _described(name: str, study: Study) -> str:
    encoder = study.encoders[name]
    body = "a transformer" if encoder.body == "transformer" else "a bidirectional GRU"
    words = [
        f"{body} of {count(encoder.layers, 'layer')} of width {encoder.width}",
        f"codes{_added(encoder)}",
        f"at most {encoder.max_length} tokens",
        f"brought by the models of {listing(encoder.sites)}"
        if study.is_received(name)
        else f"{_taught(encoder)} on {_read(encoder)}",
    ]
    if encoder.vectors:
        words.append(f"codes began with the vectors of {encoder.vectors}")
    if encoder.copies > 1:
        words.append(f"{encoder.copies} independent copies")
    return ", ".join(words)


def _added(encoder: CodeEncoder) -> str:
    named = {
        "background": encoder.background,
        "visit number": encoder.segments,
        "age": encoder.age,
        "time": encoder.position,
    }
    added = [name for name, used in named.items() if used]
    return f" with {listing(added)}" if added else " alone"


def _taught(encoder: CodeEncoder) -> str:
    if not encoder.pretrain:
        return "untrained, with the codes that are known"
    order = ", the codes dealt anew among patients" if encoder.shuffled else ""
    ahead = (
        f" and, in {encoder.next_visits:.0%} of the histories, cut off, the next visit"
        if encoder.next_visits
        else ""
    )
    return f"pre-trained to predict {encoder.mask_rate:.0%} of the codes, masked{ahead}{order},"


def _read(encoder: CodeEncoder) -> str:
    whole = f"whole records of {listing(encoder.sites)}"
    if not encoder.unlabelled:
        return whole
    return f"{whole} and records before the index time of {listing(encoder.unlabelled)}"
