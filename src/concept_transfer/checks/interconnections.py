"""What methods of interconnections refer to, and whether sites have the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concept_transfer.checks.embeddings import check_untaught
from concept_transfer.embeddings.providers import PROVIDERS
from concept_transfer.errors import choices
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.vectors import behind
from concept_transfer.sites.adapters import ADAPTERS

if TYPE_CHECKING:
    from concept_transfer.study import Study


def check_interconnections(study: Study) -> None:
    """Raise ValueError where a method names what is not there, or codes are not to be had."""
    section = study.interconnections
    if section is None:
        return
    least = study.evaluation.small_cells
    if section.codes.min_patients < least:
        raise ValueError(
            f"interconnections.codes.min_patients is {section.codes.min_patients}, but counts "
            f"below evaluation.small_cells ({least}) are not shown; give {least} or more"
        )
    if section.codes.read == "codes":
        able = [name for name, adapter in ADAPTERS.items() if adapter.codes]
        for name, site in study.sites.items():
            if study.has_encounters(name) and not ADAPTERS[site.adapter].codes:
                raise ValueError(
                    f"interconnections.codes.read is codes, and the adapter '{site.adapter}' of "
                    f"sites.{name} gives none apart from findings ({choices(able)} does); read "
                    "history or findings"
                )
    for name, settings in section.methods.items():
        method, where = METHODS[settings.kind], f"interconnections.methods.{name}"
        for embedding in method.embeddings(settings):
            if embedding not in study.embeddings:
                raise ValueError(
                    f"{where} names the embedding '{embedding}'; defined are "
                    f"{choices(study.embeddings)}"
                )
            check_untaught(study, where, embedding)
            source = study.embeddings[behind(embedding, study.embeddings)]
            encoder = PROVIDERS[source.provider].encoder(source)
            if encoder and section.codes.read != "findings":
                raise ValueError(
                    f"{where} names the embedding '{embedding}', whose texts the study's language "
                    f"model '{encoder}' reads; names of codes are read by models from elsewhere "
                    "only: name an embedding of the base, or read findings"
                )
        for encoder in method.encoders(settings):
            if encoder not in study.encoders or study.is_received(encoder):
                known = [one for one in study.encoders if not study.is_received(one)]
                raise ValueError(
                    f"{where} names the encoder '{encoder}'; pre-trained here are "
                    f"{choices(known) or 'none'}"
                )
        if method.directed and section.unit != "patient":
            raise ValueError(
                f"{where} asks which code comes first; it needs unit: patient and codes.read: "
                "history"
            )
