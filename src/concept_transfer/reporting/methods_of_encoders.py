"""The paragraphs of the methods section on encoders of histories, and of documents."""

from __future__ import annotations

from collections.abc import Sequence

from concept_transfer.reporting.words import count, listing
from concept_transfer.settings.encoders import CodeEncoder
from concept_transfer.settings.text_encoders import TextEncoder
from concept_transfer.study import Study


def encoders(study: Study) -> str:
    """What each encoder of histories is and how it was pre-trained; "" where there is none."""
    names = study.encoders_of("codes")
    if not names:
        return ""
    described = "; ".join(f"{name} ({_described(name, study)})" for name in names)
    said = _controls(study, names)
    own = not all(map(study.is_received, names))
    seen = " Pre-training here saw no patient who tests, and no label." if own else ""
    return (
        "Each code of a patient's history, background first, then by time, became a vector, and an "
        f"encoder read the sequence: {described}.{seen}{said}"
    )


def _controls(study: Study, names: Sequence[str]) -> str:
    controls = [name for name in names if study.is_control(name)]
    return f" Controls: {listing(controls)}." if controls else ""


def _described(name: str, study: Study) -> str:
    encoder = study.encoders[name]
    assert isinstance(encoder, CodeEncoder)
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


def language_models(study: Study) -> str:
    """What each language model of the study is and how it was adapted; "" where there is none."""
    names = study.encoders_of("text")
    if not names:
        return ""
    described = "; ".join(f"{name} ({_adapted(name, study)})" for name in names)
    learning = any(study.encoders[name].learns for name in names)
    seen = " Adaptation saw no document that tests." if learning else ""
    return (
        "Documents were read by language models, whose vectors are means over tokens of the last "
        f"layer: {described}.{seen}{_controls(study, names)}"
    )


def _adapted(name: str, study: Study) -> str:
    encoder = study.encoders[name]
    assert isinstance(encoder, TextEncoder)
    shape = encoder.scratch
    start = encoder.base or (
        f"from scratch, {count(shape.layers, 'layer')} of width {shape.width}, with word pieces of "
        "its own"
    )
    words = [start]
    if encoder.layers:
        words.append(f"its lowest {count(encoder.layers, 'layer')}")
    if not encoder.pretrain:
        return ", ".join([*words, "as it is" if encoder.base else "untrained"])
    words.append(f"adapted to documents of {listing(encoder.sites)} by {_learned(encoder)}")
    frozen = [
        *(["vectors of words"] if encoder.freeze_words else []),
        *([count(encoder.freeze_layers, "layer")] if encoder.freeze_layers else []),
    ]
    if frozen:
        words.append(f"{listing(frozen)} frozen")
    if encoder.rank:
        words.append(f"by updates of rank {encoder.rank}")
    words.append(
        f"for {_budget(encoder)}, {encoder.batch_size} documents a step, by AdamW (peak "
        f"{encoder.learning_rate:g}, slanted triangular)"
    )
    return ", ".join(words)


def _learned(encoder: TextEncoder) -> str:
    category = {"cross_entropy": "cross-entropy", "contrastive": "supervised contrast"}
    said = {
        "mlm": f"masked words ({encoder.mask_rate:.0%})",
        "contrastive": f"contrast of spans (DeCLUTR: {encoder.anchors} anchors a document, "
        f"{encoder.positives} positives each)",
        "metadata": f"{category[encoder.metadata]} of the document's category",
    }
    return listing(
        [f"{said[name]} with weight {weight:g}" for name, weight in encoder.objectives if weight]
    )


def _budget(encoder: TextEncoder) -> str:
    if encoder.steps:
        return count(encoder.steps, "step")
    if encoder.tokens:
        return f"{encoder.tokens:,} tokens"
    if encoder.seconds:
        return f"the steps that {encoder.seconds:g} seconds were worth"
    return "one pass over the documents"
