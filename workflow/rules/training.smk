# Sites + embedding tables -> source models -> predictions of every cell, and the models kept.
# One set of rules serves all learners: `train_source_<team>`, `transfer_<team>` (all that comes
# from another site), `train_local_<team>` (the target's own encounters), and, of sources without
# encounters, `receive_<classifier>` and `use_received_<classifier>`. A team is a classifier, or all
# classifiers without an embedding: `simple`.

LEARNING_SOURCES = [source for source in grid.sources if source not in grid.received]
JOBS = {
    "transfer": [pair for pair in grid.pairs if pair[0] not in grid.received],
    "train_local": [("", target) for target in grid.targets],
    "use_received": [pair for pair in grid.pairs if pair[0] in grid.received],
}
SOURCES = f"{RESULTS}/sources/{{source}}/{{embedding}}"
MODELS = f"{RESULTS}/models/{{pair}}/{{embedding}}"
PREDICTIONS = f"{RESULTS}/predictions/{{pair}}/{{embedding}}"


def learner_code(script, classifier):
    """Digest of what a script's jobs run for a classifier, strategies apart."""
    return code_of(script, *LEARNERS.modules(study.classifiers[classifier].kind))


def strategy_code(name):
    """Digest of what a strategy adds to it."""
    return code_of("train", *STRATEGIES.modules(study.strategies[name].kind))


def site_data(classifiers, site, embedding=NO_EMBEDDING):
    """The files of a site that classifiers read: cohort, inputs, vectors of documents by a language
    model, and split."""
    inputs = dict.fromkeys(study.learner(name).reads for name in classifiers)
    arrays = [array for name in inputs for array in INPUTS[name].arrays]
    vectors = document_vectors(embedding, site) if embedding in study.encoders_of("text") else []
    outputs = site_outputs(site, [*arrays, "labels.npy"])
    return [*outputs, *vectors, f"{RESULTS}/splits/{site}.parquet"]


def representation(classifiers):
    """As input: the vectors, or the copies of the encoder, that classifiers are trained with."""
    learners = [study.learner(name) for name in classifiers]
    if any(one.takes_embedding for one in learners):
        return table_of_job
    return encoder_files if any(one.takes_encoder for one in learners) else []


def table_of_job(wildcards):
    """The table of the source that a job names, or of its target where it has none."""
    source, target = split_pair(wildcards.get("pair", ""))
    return table_of(wildcards.embedding, wildcards.get("source", source) or target)


def encoder_files(wildcards):
    """The log of pre-training apart, which tells the time that it took; none of an encoder that
    comes with a source's models."""
    name = wildcards.embedding
    if study.is_received(name):
        return []
    copies = range(study.encoders[name].copies)
    folder = f"{RESULTS}/encoders/{name}"
    files = TAKEN if study.encoders[name].kind == "text" else EncoderFiles.names
    return [f"{folder}/{copy}/{file}" for copy in copies for file in files]


def take_codes(classifiers):
    return any(study.learner(name).takes_encoder == "codes" for name in classifiers)


def site_named(classifiers):
    """As input: the site that a job names."""
    return lambda wildcards: site_data(classifiers, wildcards.source, wildcards.embedding)


def site_of_pair(classifiers, place):
    """As input: the source (0) or the target (1) of the pair that a job names."""
    return lambda wildcards: site_data(
        classifiers, split_pair(wildcards.pair)[place], wildcards.embedding
    )


def source_files(classifiers):
    """The bundles of a site's own models."""
    return [
        f"{SOURCES}/{name}/block{{block}}/{file}"
        for name in classifiers
        for learner in [study.learner(name)]
        for file in bundle_files(learner.takes_embedding, learner.files)
    ]


def source_models(site_of, wanted):
    """As input: the models of some classifiers from the site that a job's pair names."""

    def files(wildcards):
        values = {"source": site_of(wildcards.pair), **dict(wildcards.items())}
        return [file.format(**values) for file in source_files(wanted(wildcards.pair))]

    return files


def handed_on(classifiers, job):
    """The source's models, where a strategy starts from them."""
    starting = [
        name
        for name in classifiers
        if any(
            study.strategy(strategy).starts_from_source for strategy in strategies_for(name, job)
        )
    ]
    return source_models(lambda pair: split_pair(pair)[0], lambda pair: starting)


def same_models(classifiers, job):
    """The target's own source models, where the strategy's models on all labels are just these."""

    def same(target):
        return [
            name
            for name in classifiers
            if "all" in grid.sizes
            and any(
                grid.is_own_source(name, target, strategy) for strategy in strategies_for(name, job)
            )
        ]

    return source_models(lambda pair: pair, same)


def strategies_for(classifier, job):
    """The strategies of one kind of job."""
    return sorted(
        name
        for name in grid.strategies_of(classifier)
        if study.strategy(name).has_source == (job != "train_local")
        and not (job == "use_received" and study.strategy(name).reads_source)
    )


def predictions_of(classifiers, job):
    """The predictions of all strategies at every target size, made by one job.

    Start-up is most of a small cell's cost. `update` leaves the files in place, and the job keeps
    those that are current: another size or strategy does not compute the old ones again.
    """
    cells = [
        f"{classifier}/{name}/{size}"
        for classifier in classifiers
        for name in strategies_for(classifier, job)
        for size in grid.sizes_of(name)
    ]
    # A rule must have an output, even if this study asks nothing of it.
    return [update(f"{PREDICTIONS}/{cell}/block{{block}}.parquet") for cell in cells or ["nothing"]]


def cards_of(classifiers, job):
    """The cards of the models that are kept; the files of a bundle lie beside its card."""
    return [
        update(f"{MODELS}/{classifier}/{name}/{size}/block{{block}}/card.json")
        for classifier in classifiers
        for name in strategies_for(classifier, job)
        for size in grid.kept_sizes(classifier, name)
    ]


def strategy_settings(classifier, name):
    """Settings of a strategy and of training, as far as a classifier reads them."""
    return {
        "strategy": grid.strategy_settings(name),
        "training": grid.training(classifier, name),
    }


def learner_settings(classifier):
    return study.classifiers[classifier].model_dump(mode="json")


def source_work(classifiers, code):
    """Classifier -> settings of its source models, and the digest of its code, as a function says."""
    return fixed(
        {
            name: {
                "learner": learner_settings(name),
                "training": grid.training(name),
                "code": code(name),
            }
            for name in classifiers
        }
    )


def work_of(classifiers, job, kept):
    """Classifier -> its settings, its code and its strategies, with the sizes of each, and those
    at which its models are kept."""
    return fixed(
        {
            classifier: {
                "learner": learner_settings(classifier),
                "source_training": grid.training(classifier),
                "code": learner_code("train", classifier),
                "strategies": {
                    name: {
                        **strategy_settings(classifier, name),
                        "code": strategy_code(name),
                        "sizes": grid.sizes_of(name),
                        "kept": grid.kept_sizes(classifier, name) if kept else [],
                    }
                    for name in strategies_for(classifier, job)
                },
            }
            for classifier in classifiers
        }
    )


def embeddings_of(classifiers, kept):
    """Constraint of the wildcard: the embeddings of classifiers that are kept, or all others."""
    every = dict.fromkeys(other for one in classifiers for other in study.representations(one))
    return [name for name in every if (name in grid.kept_embeddings) == kept]


def block_replicates(wildcards):
    return grid.blocks[int(wildcards.block)]


def teams_of(job):
    """Team -> classifiers of a kind of job; models that came are used one by one, because not all
    of a team need have come."""
    came = {name for models in grid.received.values() for _, name in models}
    return {name: [name] for name in sorted(came)} if job == "use_received" else grid.teams


# kind of job, team, its classifiers, whether the models of these embeddings are kept, and these
TRAINED = [
    (job, team, classifiers, kept, embeddings)
    for job in JOBS
    for team, classifiers in teams_of(job).items()
    for kept in (True, False)
    if (embeddings := embeddings_of(classifiers, kept))
]


for team, classifiers in grid.teams.items():

    learners = [study.learner(name) for name in classifiers]

    rule:
        name:
            f"train_source_{team}"
        input:
            **vocabulary_files(),
            site=site_named(classifiers),
            embedding=representation(classifiers),
        output:
            source_files(classifiers),
        log:
            f"{RESULTS}/logs/train_source/{{source}}/{{embedding}}/{team}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train_source/{{source}}/{{embedding}}/{team}/block{{block}}.tsv"
        wildcard_constraints:
            source=alternatives(LEARNING_SOURCES),
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu if any(one.uses_torch for one in learners) else 0,
            device=study.resources.device,
        params:
            classifiers=source_work(classifiers, lambda name: learner_code("train_source", name)),
            replicates=block_replicates,
            seed=study.seed,
            study=study.study,
            label=task_words(take_codes(classifiers)),
            vocabulary=reads(*IDENTITY),
        script:
            "../scripts/train_source.py"


for classifier in teams_of("use_received"):

    rule:
        name:
            f"receive_{classifier}"
        input:
            **vocabulary_files(),
            bundles=lambda wildcards: site_inputs(study.sites[wildcards.source], ROOT),
            embedding=representation([classifier]),
        output:
            source_files([classifier]),
        log:
            f"{RESULTS}/logs/receive/{{source}}/{{embedding}}/{classifier}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/receive/{{source}}/{{embedding}}/{classifier}/block{{block}}.tsv"
        wildcard_constraints:
            source=alternatives(grid.received),
        conda:
            ENVIRONMENT
        params:
            classifiers=source_work([classifier], lambda name: learner_code("receive_source", name)),
            replicates=block_replicates,
            seed=study.seed,
            study=study.study,
            label=task_words(take_codes([classifier])),
            vocabulary=reads(*IDENTITY),
        script:
            "../scripts/receive_source.py"


for job, team, classifiers, kept, embeddings in TRAINED:

    learners = [study.learner(name) for name in classifiers]
    strategies = {name for one in classifiers for name in strategies_for(one, job)}

    rule:
        name:
            f"{job}_{team}" if kept else f"{job}_{team}_unkept"
        input:
            **vocabulary_files(),
            target=site_of_pair(classifiers, 1),
            handed_on=handed_on(classifiers, job),
            same=same_models(classifiers, job),
            source=(
                site_of_pair(classifiers, 0)
                if any(study.strategy(name).uses_source for name in strategies)
                else []
            ),
            embedding=representation(classifiers),
        output:
            predictions=predictions_of(classifiers, job),
            cards=cards_of(classifiers, job) if kept else [],
        log:
            f"{RESULTS}/logs/{job}/{{pair}}/{{embedding}}/{team}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{job}/{{pair}}/{{embedding}}/{team}/block{{block}}.tsv"
        wildcard_constraints:
            pair=alternatives([pair_name(*pair) for pair in JOBS[job]]),
            embedding=alternatives(embeddings),
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu if any(one.uses_torch for one in learners) else 0,
            device=study.resources.device,
        params:
            classifiers=work_of(classifiers, job, kept),
            replicates=block_replicates,
            seed=study.seed,
            study=study.study,
            label=task_words(take_codes(classifiers)),
            vocabulary=reads(*IDENTITY),
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
        embedding=table_of_job,
        arrays=lambda wildcards: [
            file
            for site in source_and_targets(wildcards)
            for file in site_data([wildcards.classifier], site)[:-1]
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
        learner=lambda wildcards: stable(learner_settings(wildcards.classifier)),
        training=lambda wildcards: stable(grid.training(wildcards.classifier)),
        uses=shuffled_uses,
        shuffles=lambda wildcards: grid.shuffle_blocks[int(wildcards.block)],
        replicates=list(range(min(study.meaning.replicates, study.replicates))),
        seed=study.seed,
        study=study.study,
        label=task_words(),
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
        for embedding, classifier in grid.received.get(source, grid.models)
        for block in grid.blocks
    ]


rule models:
    input:
        source_cards(),
        kept_cards(),


rule predictions:
    input:
        prediction_files(grid.cells),
