# Sites + embedding tables -> source models -> predictions of every cell, and the models kept.
# One set of rules serves all learners: `train_source_<classifier>`, `transfer_<classifier>` (all
# that comes from another site) and `train_local_<classifier>` (the target's own encounters).

PAIRS = {
    "transfer": alternatives([f"{source}-to-{target}" for source, target in grid.pairs]),
    "train_local": alternatives(grid.targets),
}
SOURCES = f"{RESULTS}/sources/{{source}}/{{embedding}}"
MODELS = f"{RESULTS}/models/{{pair}}/{{embedding}}"
PREDICTIONS = f"{RESULTS}/predictions/{{pair}}/{{embedding}}"
TABLE = f"{RESULTS}/embeddings/{{embedding}}.safetensors"


def learner_code(script, classifier):
    """Digest of what a script's jobs run for a classifier, strategies apart."""
    return code_of(script, *LEARNERS.modules(study.classifiers[classifier].kind))


def strategy_code(name):
    """Digest of what a strategy adds to it."""
    return code_of("train", *STRATEGIES.modules(study.strategies[name].kind))


def site_data(classifier, site):
    """The files of a site that a classifier reads: cohort, input and split."""
    arrays = INPUTS[study.learner(classifier).reads].arrays
    return [*site_outputs(site, [*arrays, "labels.npy"]), f"{RESULTS}/splits/{site}.parquet"]


def site_named(classifier):
    """As input: the site that a job names."""
    return lambda wildcards: site_data(classifier, wildcards.source)


def site_of_pair(classifier, place):
    """As input: the source (0) or the target (1) of the pair that a job names."""
    return lambda wildcards: site_data(classifier, split_pair(wildcards.pair)[place])


def source_files(classifier):
    """The bundle of a site's own models."""
    learner = study.learner(classifier)
    files = bundle_files(learner.takes_embedding, learner.files)
    return [f"{SOURCES}/{classifier}/block{{block}}/{file}" for file in files]


def source_models(classifier, site_of, wanted):
    """As input: the source models of the site that a job's pair names, where they are wanted."""

    def files(wildcards):
        if not wanted(wildcards):
            return []
        values = {"source": site_of(wildcards), **dict(wildcards.items())}
        return [file.format(**values) for file in source_files(classifier)]

    return files


def handed_on(classifier, names):
    """The source's models, if a strategy starts from them."""
    used = any(study.strategy(name).starts_from_source for name in names)
    return source_models(classifier, lambda w: split_pair(w.pair)[0], lambda w: used)


def same_models(classifier, names):
    """The target's own source models, where the strategy's models on all labels are just these."""
    return source_models(
        classifier,
        lambda w: w.pair,
        lambda w: "all" in grid.sizes
        and any(grid.is_own_source(classifier, w.pair, name) for name in names),
    )


def strategies_for(classifier, from_a_source):
    """The strategies of one kind of job, in the order of its outputs."""
    return sorted(
        name
        for name in grid.strategies_of(classifier)
        if study.strategy(name).has_source == from_a_source
    )


def predictions_of(classifier, names):
    """The predictions of all strategies at every target size, made by one job.

    Start-up is most of a small cell's cost. `update` leaves the files in place, and the job keeps
    those that are current: another size or strategy does not compute the old ones again.
    """
    cells = [f"{name}/{size}" for name in names for size in grid.sizes_of(name)]
    # A rule must have an output, even if this study asks nothing of it.
    return [
        update(f"{PREDICTIONS}/{classifier}/{cell}/block{{block}}.parquet")
        for cell in cells or ["nothing"]
    ]


def cards_of(classifier, names):
    """The cards of the models that are kept; the files of a bundle lie beside its card."""
    return [
        update(f"{MODELS}/{classifier}/{name}/{size}/block{{block}}/card.json")
        for name in names
        for size in grid.kept_sizes(classifier, name)
    ]


def strategy_settings(classifier, name):
    """Settings of a strategy and of training, as far as a classifier reads them."""
    return {
        "strategy": grid.strategy_settings(name),
        "training": grid.training(classifier, name),
    }


def settings_of(classifier, names, kept):
    """Strategy -> its settings and sizes, and the sizes at which its models are kept."""
    return fixed(
        {
            name: {
                **strategy_settings(classifier, name),
                "code": strategy_code(name),
                "sizes": grid.sizes_of(name),
                "kept": grid.kept_sizes(classifier, name) if kept else [],
            }
            for name in names
        }
    )


def learner_settings(classifier):
    return fixed(study.classifiers[classifier].model_dump(mode="json"))


def embeddings_of(classifier, kept):
    """Constraint of the wildcard: the embeddings of a classifier that are kept, or all others."""
    if not study.learner(classifier).takes_embedding:
        return [NO_EMBEDDING] if kept else []
    return [name for name in study.embeddings if (name in grid.kept_embeddings) == kept]


def block_replicates(wildcards):
    return grid.blocks[int(wildcards.block)]


# kind of job, classifier, whether the models of these embeddings are kept, and these embeddings
TRAINED = [
    (job, classifier, kept, embeddings)
    for job in PAIRS
    for classifier in study.classifiers
    for kept in (True, False)
    if (embeddings := embeddings_of(classifier, kept))
]


for classifier in study.classifiers:

    learner = study.learner(classifier)

    rule:
        name:
            f"train_source_{classifier}"
        input:
            **vocabulary_files(),
            site=site_named(classifier),
            embedding=TABLE if learner.takes_embedding else [],
        output:
            source_files(classifier),
        log:
            f"{RESULTS}/logs/train_source/{{source}}/{{embedding}}/{classifier}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train_source/{{source}}/{{embedding}}/{classifier}/block{{block}}.tsv"
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu if learner.uses_torch else 0,
            device=study.resources.device,
        params:
            learner=learner_settings(classifier),
            training=fixed(grid.training(classifier)),
            replicates=block_replicates,
            seed=study.seed,
            study=study.study,
            label=label_words(),
            vocabulary=reads(*IDENTITY),
            code=learner_code("train_source", classifier),
        script:
            "../scripts/train_source.py"


for job, classifier, kept, embeddings in TRAINED:

    learner = study.learner(classifier)
    names = strategies_for(classifier, from_a_source=job == "transfer")

    rule:
        name:
            f"{job}_{classifier}" if kept else f"{job}_{classifier}_unkept"
        input:
            **vocabulary_files(),
            target=site_of_pair(classifier, 1),
            handed_on=handed_on(classifier, names),
            same=same_models(classifier, names),
            source=(
                site_of_pair(classifier, 0)
                if any(study.strategy(name).uses_source for name in names)
                else []
            ),
            embedding=TABLE if learner.takes_embedding else [],
        output:
            predictions=predictions_of(classifier, names),
            cards=cards_of(classifier, names) if kept else [],
        log:
            f"{RESULTS}/logs/{job}/{{pair}}/{{embedding}}/{classifier}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{job}/{{pair}}/{{embedding}}/{classifier}/block{{block}}.tsv"
        wildcard_constraints:
            pair=PAIRS[job],
            embedding=alternatives(embeddings),
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu if learner.uses_torch else 0,
            device=study.resources.device,
        params:
            classifier=classifier,
            learner=learner_settings(classifier),
            strategies=settings_of(classifier, names, kept),
            source_training=fixed(grid.training(classifier)),
            replicates=block_replicates,
            seed=study.seed,
            study=study.study,
            label=label_words(),
            vocabulary=reads(*IDENTITY),
            code=learner_code("train", classifier),
        script:
            "../scripts/train.py"


SHUFFLES = f"{RESULTS}/shuffles/{{source}}/{{embedding}}/{{classifier}}/block{{block}}.parquet"


def shuffled_cells(wildcards):
    return [
        cell
        for cell in grid.shuffled_cells
        if (cell.source, cell.embedding, cell.classifier)
        == (wildcards.source, wildcards.embedding, wildcards.classifier)
    ]


def source_and_targets(wildcards):
    """The source, then the targets on which its models under shuffles are used."""
    return [wildcards.source, *dict.fromkeys(cell.target for cell in shuffled_cells(wildcards))]


def shuffled_uses(wildcards):
    """Strategy -> how it uses a source model."""
    return stable(
        {
            cell.strategy: {
                **strategy_settings(cell.classifier, cell.strategy),
                "size": cell.size,
            }
            for cell in shuffled_cells(wildcards)
        }
    )


def shuffle_code(wildcards):
    used = sorted({cell.strategy for cell in shuffled_cells(wildcards)})
    return [
        learner_code("shuffle_concepts", wildcards.classifier),
        *(strategy_code(name) for name in used),
    ]


rule shuffle_concepts:
    input:
        **vocabulary_files(),
        embedding=f"{RESULTS}/embeddings/{{embedding}}.safetensors",
        arrays=lambda wildcards: [
            file
            for site in source_and_targets(wildcards)
            for file in site_data(wildcards.classifier, site)[:-1]
        ],
        splits=lambda wildcards: expand(
            f"{RESULTS}/splits/{{site}}.parquet", site=source_and_targets(wildcards)
        ),
    output:
        SHUFFLES,
    log:
        f"{RESULTS}/logs/shuffle_concepts/{{source}}/{{embedding}}/{{classifier}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shuffle_concepts/{{source}}/{{embedding}}/{{classifier}}/block{{block}}.tsv"
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        learner=lambda wildcards: learner_settings(wildcards.classifier)(wildcards),
        training=lambda wildcards: stable(grid.training(wildcards.classifier)),
        uses=shuffled_uses,
        shuffles=lambda wildcards: grid.shuffle_blocks[int(wildcards.block)],
        replicates=list(range(min(study.meaning.replicates, study.replicates))),
        seed=study.seed,
        study=study.study,
        label=label_words(),
        vocabulary=reads(*IDENTITY),
        code=shuffle_code,
    script:
        "../scripts/shuffle_concepts.py"


def shuffle_files():
    """The permutations of all cells that are tested for meaning."""
    trained = dict.fromkeys(
        (cell.source, cell.embedding, cell.classifier) for cell in grid.shuffled_cells
    )
    return [
        SHUFFLES.format(source=source, embedding=embedding, classifier=classifier, block=block)
        for source, embedding, classifier in trained
        for block in grid.shuffle_blocks
    ]


def prediction_files(cells):
    return [
        f"{RESULTS}/predictions/{cell.path}/block{block}.parquet"
        for cell in cells
        for block in grid.blocks
    ]


def kept_cards():
    """The cards of all models that the study keeps."""
    return [
        f"{RESULTS}/models/{cell.path}/block{block}/card.json"
        for cell in grid.kept_cells
        for block in grid.blocks
    ]


def source_cards():
    """The cards of the models that sources hand on."""
    return [
        f"{RESULTS}/sources/{source}/{embedding}/{classifier}/block{block}/card.json"
        for source in grid.sources
        for embedding, classifier in grid.models
        for block in grid.blocks
    ]


rule models:
    input:
        source_cards(),
        kept_cards(),


rule predictions:
    input:
        prediction_files(grid.cells),
