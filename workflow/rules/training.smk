# Sites + embedding tables -> source models -> predictions of every cell.

TRAINING_CODE = code_digest(
    "models",
    "training",
    "concepts",
    "embeddings/table.py",
    "embeddings/controls.py",
    "sites/site.py",
    "sites/splits.py",
    "sites/encounters.py",
)
TRANSFERS = ("direct", *TUNED, "pooled")
BUNDLE_FILES = ["card.json", "weights.safetensors", "vocabulary.tsv"]
BUNDLE_FILES += ["embedding.safetensors", "embedding.json"]
PAIRS = alternatives([f"{source}-to-{target}" for source, target in grid.pairs])


def site_data(site):
    """The files of a site that training reads."""
    return [*site_outputs(site, TRAINING_FILES), f"{RESULTS}/splits/{site}.parquet"]


def made_by_one_job(classifier, *kinds_made):
    """The predictions of all strategies of some kinds, at every target size, from one pair.

    Start-up is most of a small cell's cost. `update` leaves the files in place, and the job keeps
    those that are current: another size or strategy does not compute the old ones again.
    """
    model = f"{{embedding}}/{classifier}" if classifier == "cnn" else f"{NO_EMBEDDING}/{classifier}"
    cells = [
        f"{name}/{size}"
        for name in sorted(kinds(*kinds_made))
        for size in (["0"] if study.strategies[name].kind == "direct" else grid.sizes)
    ]
    # A rule must have an output, even if this study asks nothing of it.
    return [
        update(f"{RESULTS}/predictions/{{pair}}/{model}/{cell}/block{{block}}.parquet")
        for cell in cells or ["nothing"]
    ]


def source_site(wildcards):
    source, _ = split_pair(wildcards.pair)
    return site_data(source) if source else []


def target_site(wildcards):
    return site_data(split_pair(wildcards.pair)[1])


def bundle(wildcards):
    source, _ = split_pair(wildcards.pair)
    folder = f"{RESULTS}/sources/{source}/{wildcards.embedding}/block{wildcards.block}"
    return expand(f"{folder}/{{file}}", file=BUNDLE_FILES)


def own_bundle(wildcards):
    """The target's source model where `local` on all labels is the same model."""
    same = [name for name in kinds("local") if grid.is_own_source(wildcards.pair, name)]
    if not same or "all" not in grid.sizes:
        return []
    folder = f"{RESULTS}/sources/{wildcards.pair}/{wildcards.embedding}/block{wildcards.block}"
    return expand(f"{folder}/{{file}}", file=BUNDLE_FILES)


def replicates(wildcards):
    return grid.blocks[int(wildcards.block)]


def strategy_settings(name):
    """Training settings and kind of a strategy, without its name."""
    strategy = study.strategies[name]
    return {
        "kind": strategy.kind,
        "source_weight": strategy.source_weight,
        "training": grid.training(name),
    }


def strategies_of(*kinds_used):
    """Name -> settings of the strategies of some kinds."""
    return fixed({name: strategy_settings(name) for name in kinds(*kinds_used)})


def baseline_strategies(*kinds_used):
    """The same for models that know no epochs and no learning rate."""
    return fixed(
        {
            name: {
                "kind": study.strategies[name].kind,
                "source_weight": study.strategies[name].source_weight,
                "class_weight": study.training.class_weight,
            }
            for name in kinds(*kinds_used)
        }
    )


rule train_source:
    input:
        **vocabulary_files(),
        site=lambda wildcards: site_data(wildcards.source),
        embedding=f"{RESULTS}/embeddings/{{embedding}}.safetensors",
    output:
        expand(
            f"{RESULTS}/sources/{{{{source}}}}/{{{{embedding}}}}/block{{{{block}}}}/{{file}}",
            file=BUNDLE_FILES,
        ),
    log:
        f"{RESULTS}/logs/train_source/{{source}}/{{embedding}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_source/{{source}}/{{embedding}}/block{{block}}.tsv"
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        training=fixed(grid.training()),
        replicates=replicates,
        seed=study.seed,
        label=lambda wildcards: study.task.label,
        study=study.study,
        vocabulary=reads(*IDENTITY),
        code=TRAINING_CODE,
    script:
        "../scripts/train_source.py"


rule transfer:
    input:
        **vocabulary_files(),
        target=target_site,
        bundle=lambda wildcards: bundle(wildcards) if kinds("direct", *TUNED) else [],
        source=lambda wildcards: source_site(wildcards) if kinds("pooled") else [],
        embedding=f"{RESULTS}/embeddings/{{embedding}}.safetensors",
    output:
        made_by_one_job("cnn", *TRANSFERS),
    log:
        f"{RESULTS}/logs/transfer/{{pair}}/{{embedding}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/transfer/{{pair}}/{{embedding}}/block{{block}}.tsv"
    wildcard_constraints:
        pair=PAIRS,
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        strategies=strategies_of(*TRANSFERS),
        sizes=grid.sizes,
        replicates=replicates,
        seed=study.seed,
        vocabulary=reads(*IDENTITY),
        code=TRAINING_CODE,
    script:
        "../scripts/transfer.py"


rule train_local:
    input:
        **vocabulary_files(),
        target=target_site,
        embedding=f"{RESULTS}/embeddings/{{embedding}}.safetensors",
        own=own_bundle,
    output:
        made_by_one_job("cnn", "local"),
    log:
        f"{RESULTS}/logs/train_local/{{pair}}/{{embedding}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_local/{{pair}}/{{embedding}}/block{{block}}.tsv"
    wildcard_constraints:
        pair=alternatives(grid.targets),
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        strategies=strategies_of("local"),
        source_training=fixed(grid.training()),
        sizes=grid.sizes,
        replicates=replicates,
        seed=study.seed,
        vocabulary=reads(*IDENTITY),
        code=TRAINING_CODE,
    script:
        "../scripts/train_local.py"


rule fit_baseline:
    input:
        **vocabulary_files(),
        target=target_site,
    output:
        made_by_one_job("{classifier}", "local"),
    log:
        f"{RESULTS}/logs/fit_baseline/{{pair}}/{{classifier}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_baseline/{{pair}}/{{classifier}}/block{{block}}.tsv"
    wildcard_constraints:
        pair=alternatives(grid.targets),
        classifier=alternatives(BASELINES),
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    params:
        strategies=baseline_strategies("local"),
        sizes=grid.sizes,
        replicates=replicates,
        seed=study.seed,
        vocabulary=reads("concepts", "states"),
        code=TRAINING_CODE,
    script:
        "../scripts/fit_baseline.py"


use rule fit_baseline as transfer_baseline with:
    input:
        **vocabulary_files(),
        target=target_site,
        source=source_site,
    output:
        made_by_one_job("{classifier}", "direct", "pooled"),
    log:
        f"{RESULTS}/logs/transfer_baseline/{{pair}}/{{classifier}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/transfer_baseline/{{pair}}/{{classifier}}/block{{block}}.tsv"
    wildcard_constraints:
        pair=PAIRS,
        classifier=alternatives(BASELINES),
    params:
        strategies=baseline_strategies("direct", "pooled"),
        sizes=grid.sizes,
        replicates=replicates,
        seed=study.seed,
        vocabulary=reads("concepts", "states"),
        code=TRAINING_CODE,


SHUFFLES = f"{RESULTS}/shuffles/{{source}}/{{embedding}}/block{{block}}.parquet"


def shuffled_cells(wildcards):
    return [
        cell
        for cell in grid.shuffled_cells
        if (cell.source, cell.embedding) == (wildcards.source, wildcards.embedding)
    ]


def source_and_targets(wildcards):
    """The source, then the targets on which its models under shuffles are used."""
    return [wildcards.source, *dict.fromkeys(cell.target for cell in shuffled_cells(wildcards))]


def shuffled_uses(wildcards):
    """Strategy -> how it uses a source model."""
    return stable(
        {
            cell.strategy: {**strategy_settings(cell.strategy), "size": cell.size}
            for cell in shuffled_cells(wildcards)
        }
    )


rule shuffle_concepts:
    input:
        **vocabulary_files(),
        embedding=f"{RESULTS}/embeddings/{{embedding}}.safetensors",
        offsets=lambda wildcards: expand(
            f"{RESULTS}/encounters/{{site}}/offsets.npy", site=source_and_targets(wildcards)
        ),
        arrays=lambda wildcards: expand(
            f"{RESULTS}/encounters/{{site}}/{{array}}.npy",
            site=source_and_targets(wildcards),
            array=["tokens", "labels"],
        ),
        splits=lambda wildcards: expand(
            f"{RESULTS}/splits/{{site}}.parquet", site=source_and_targets(wildcards)
        ),
    output:
        SHUFFLES,
    log:
        f"{RESULTS}/logs/shuffle_concepts/{{source}}/{{embedding}}/block{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shuffle_concepts/{{source}}/{{embedding}}/block{{block}}.tsv"
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        training=fixed(grid.training()),
        uses=shuffled_uses,
        shuffles=lambda wildcards: grid.shuffle_blocks[int(wildcards.block)],
        replicates=list(range(min(study.meaning.replicates, study.replicates))),
        seed=study.seed,
        vocabulary=reads(*IDENTITY),
        code=TRAINING_CODE + code_digest("evaluation/delong.py", "evaluation/shuffles.py"),
    script:
        "../scripts/shuffle_concepts.py"


def shuffle_files():
    """The permutations of all cells that are tested for meaning."""
    trained = dict.fromkeys((cell.source, cell.embedding) for cell in grid.shuffled_cells)
    return [
        SHUFFLES.format(source=source, embedding=embedding, block=block)
        for source, embedding in trained
        for block in grid.shuffle_blocks
    ]


def prediction_files(cells):
    return [
        f"{RESULTS}/predictions/{cell.path}/block{block}.parquet"
        for cell in cells
        for block in grid.blocks
    ]


rule models:
    input:
        expand(
            f"{RESULTS}/sources/{{source}}/{{embedding}}/block{{block}}/card.json",
            source=grid.sources,
            embedding=study.embeddings,
            block=grid.blocks,
        ),


rule predictions:
    input:
        prediction_files(grid.cells),
