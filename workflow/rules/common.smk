import functools

from concept_transfer.concepts.study_vocabulary import reading
from concept_transfer.deployment import with_files
from concept_transfer.embeddings.providers import PROVIDERS, SOURCE
from concept_transfer.cell import ALL_MODELS, NO_EMBEDDING, pair_name, split_pair
from concept_transfer.grid import Grid
from concept_transfer.inputs.registry import INPUTS
from concept_transfer.interconnections.methods import METHODS
from concept_transfer.interconnections.schemas import TABLES as INTERCONNECTION_TABLES
from concept_transfer.interconnections.vectors import behind, reads_texts
from concept_transfer.learners import LEARNERS
from concept_transfer.models.bundle import bundle_files
from concept_transfer.pretraining.encoder import FILES as ENCODER_FILES, EncoderFiles
from concept_transfer.pretraining.text.files import FILES as LANGUAGE_MODEL_FILES, TAKEN
from concept_transfer.settings.embeddings import control_of, encoder_of, parents_of
from concept_transfer.settings.extraction import NotedSite
from concept_transfer.settings.sites import UNREAD, CodedSite
from concept_transfer.sites.adapters import ADAPTERS
from concept_transfer.sites.documents import TEXT_REPORT
from concept_transfer.sites.histories import PATIENTS, REPORT
from concept_transfer.strategies import STRATEGIES
from concept_transfer.settings.task import TOKENS_OF_TASK
from concept_transfer.study import load_study
from concept_transfer.times_ahead import times_ahead
from concept_transfer.workflow import (
    base_content,
    base_files,
    check_study,
    downloads,
    embedding_inputs,
    left_out,
    model_content,
    parts_of_one_source,
    planned_vocabulary,
    site_inputs,
    table_files,
    taught_by_documents,
    with_embeddings_of_notes,
    with_offers,
)

try:
    if planning:
        check_files(map(Path, workflow.configfiles))
    study = load_study(config, " + ".join(map(str, workflow.configfiles)))
    study = with_offers(with_files(study, ROOT, HOME, is_prefixed()), ROOT)
    study = with_embeddings_of_notes(study)
    if planning:
        check_study(study, ROOT)
        check_writable(Path(workflow.modifier.modify_path(f"results/{study.study}/logs")))
except StudyError as error:
    raise WorkflowError(str(error)) from None

if planning and study.parked_sites():
    parked = ", ".join(f"sites.{name}" for name in study.parked_sites())
    logger.warning(f"No pair of 'pairs' names {parked}: this study does without.")

for sentence in [*left_out(study), *times_ahead(study, ROOT)] if planning else []:
    logger.warning(sentence)

fix_threads(study.resources.threads)

grid = Grid(study)
RESULTS = f"results/{study.study}"


def task_words(codes=False):
    """The outcome and its classes, by name, and what decides which tokens an encounter has; with
    the outcome's codes and the look-back of the site for those who read histories, and how labels
    are drawn."""
    task = study.task.model_dump(mode="json", include=set(TOKENS_OF_TASK))
    words = {"label": study.task.label, "classes": study.task.class_names, "task": task}
    if codes:
        words["outcome_codes"] = study.task.outcome_codes
    if study.balanced_labels:
        words["balanced"] = True

    def given(wildcards):
        source = getattr(wildcards, "source", None)
        site = study.sites[source or split_pair(wildcards.pair)[1]]
        look_back = {"look_back_days": site.look_back_days} if codes and site.look_back_days else {}
        twin = "" if source else drawn_as(wildcards)
        return stable(words | look_back | ({"drawn_as": twin} if twin else {}))

    return given


def drawn_as(wildcards):
    """The site by whose name a target's labels are drawn: the one that has its encounters with
    findings that were not read from notes, if one has ("": its own)."""
    return grid.gold.get(split_pair(wildcards.pair)[1], "")


def record_modules(registry, names, *runs):
    """The modules of records, each once, and of the functions that they run."""
    return sorted({module for name in names for module in registry.modules(name, *runs)})


# What those who compare and report ask for words, looks and abilities.
MODEL_RECORDS = [
    *record_modules(PROVIDERS, [entry.provider for entry in study.embeddings.values()]),
    *record_modules(LEARNERS, [entry.kind for entry in study.classifiers.values()]),
    *record_modules(STRATEGIES, [entry.kind for entry in study.strategies.values()]),
]
CONNECTING = study.interconnections.methods if study.interconnections else {}
RECORDS = [
    *record_modules(ADAPTERS, [entry.adapter for entry in study.sites.values()]),
    *record_modules(METHODS, [entry.kind for entry in CONNECTING.values()]),
    *MODEL_RECORDS,
]

QUANTILE_SITES = sorted({b.quantiles.of for b in study.bins.values() if b.quantiles})
EDGES = expand(f"{RESULTS}/bins/{{site}}.json", site=QUANTILE_SITES)


def table_of(embedding, site):
    """The table that models are trained with that come from a site."""
    folder = f"{site}/" if study.has_table_each_site(embedding) else ""
    return f"{RESULTS}/embeddings/{folder}{embedding}.safetensors"


def tables_of(names, sites=grid.sites):
    """The tables of embeddings, each once, in order; of those with one each site, all of `sites`."""
    return list(dict.fromkeys(table_of(name, site) for name in names for site in sites))


def shown_tables():
    """One table of every embedding, for reports: of those with one each site, the first source's."""
    return tables_of(study.embeddings, grid.sources[:1])


def shown_cards():
    """What is known of these tables."""
    return [path.replace(".safetensors", ".json") for path in shown_tables()]


IDENTITY = ("concepts", "names", "states")
WORDLESS = ("concepts", "names", "categories", "states")


def vocabulary_files():
    """The vocabulary as an input whose date says nothing, and the edges that data gave it.

    With the parameter `reads`, a job runs again when columns change that it reads, and only then.
    The file with the bins cannot be the input: what a job writes reruns all jobs after it.
    """
    return {"vocabulary": ancient(study.vocabulary), "edges": EDGES}


@functools.cache
def vocabulary_before_jobs():
    return planned_vocabulary(study, ROOT)


def reads(*columns):
    """A parameter that changes with the vocabulary's columns that a rule's jobs read."""
    return lambda wildcards: reading(vocabulary_before_jobs(), study.bins, columns)


wildcard_constraints:
    site=alternatives(grid.sites),
    source=alternatives(grid.sources),
    target=alternatives(grid.targets),
    embedding=alternatives([*study.embeddings, *study.encoders, NO_EMBEDDING]),
    classifier=alternatives(study.classifiers),
    strategy=alternatives(study.strategies),
    block=r"\d+",
