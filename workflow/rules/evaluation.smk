# Predictions -> metrics with intervals -> paired comparisons and the answers drawn from them.

METRIC_FILES = ["estimates.parquet", "replicates.parquet", "draws.npz"]
METRIC_FILES += ["subgroups.parquet", "calibration.parquet"]


def evaluation_settings(*keys):
    settings = study.evaluation.model_dump(mode="json")
    return fixed({key: settings[key] for key in keys})


def evaluated_cells(wildcards):
    return grid.cells_of(wildcards.target, wildcards.embedding)


rule evaluate:
    input:
        **vocabulary_files(),
        predictions=lambda wildcards: prediction_files(evaluated_cells(wildcards)),
        split=f"{RESULTS}/splits/{{target}}.parquet",
        encounters=lambda wildcards: site_outputs(
            wildcards.target, ["encounters.parquet", *TRAINING_FILES]
        ),
    output:
        expand(f"{RESULTS}/metrics/{{{{target}}}}/{{{{embedding}}}}/{{file}}", file=METRIC_FILES),
    log:
        f"{RESULTS}/logs/evaluate/{{target}}/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{target}}/{{embedding}}.tsv"
    conda:
        ENVIRONMENT
    params:
        evaluation=evaluation_settings("draws", "confidence", "min_positives", "alert_rate"),
        seed=study.seed,
        classes=study.task.classes or [],
        blocks=len(grid.blocks),
        vocabulary=reads(*WORDLESS),
        code=code_of("evaluate"),
    script:
        "../scripts/evaluate.py"


def metric_folders():
    """One folder a target and embedding; `none` holds the baselines."""
    return [
        f"{RESULTS}/metrics/{target}/{embedding}"
        for target in grid.targets
        for embedding in grid.embeddings_of_metrics()
    ]


def metric_files():
    return [f"{folder}/{file}" for folder in metric_folders() for file in METRIC_FILES]


def design():
    """The study, in the order of the config, without what only report or machine needs."""
    apart = {"title": True, "notice": True, "resources": True, "evaluation": {"small_cells"}}
    chosen = study.model_dump_json(exclude=apart)
    return lambda wildcards: chosen


rule compare:
    input:
        metrics=metric_files(),
        shuffles=shuffle_files(),
        cards=shown_cards(),
    output:
        comparisons=f"{RESULTS}/comparisons.parquet",
        answers=f"{RESULTS}/answers.json",
        warnings=f"{RESULTS}/compare_warnings.json",
    log:
        f"{RESULTS}/logs/compare.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare.tsv"
    conda:
        ENVIRONMENT
    params:
        study=design(),
        code=code_of("compare", *MODEL_RECORDS),
    script:
        "../scripts/compare.py"


rule metrics:
    input:
        metric_files(),
