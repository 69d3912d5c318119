# Findings read from notes: which words were taken for which concept, how right they are, their cost.

NOTED = [name for name in grid.sites if isinstance(study.sites[name], NotedSite)]
GOLD_SITES = [*grid.gold, *grid.gold.values()]


rule review_mentions:
    input:
        f"{RESULTS}/encounters/{{site}}/report.json",
    output:
        f"{RESULTS}/mentions/{{site}}.tsv",
    log:
        f"{RESULTS}/logs/review_mentions/{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/review_mentions/{{site}}.tsv"
    wildcard_constraints:
        site=alternatives(NOTED),
    conda:
        ENVIRONMENT
    params:
        small_cells=study.evaluation.small_cells,
        code=code_of("review_mentions"),
    script:
        "../scripts/review_mentions.py"


rule extraction_accuracy:
    input:
        **vocabulary_files(),
        reports=expand(f"{RESULTS}/encounters/{{site}}/report.json", site=grid.gold),
        arrays=expand(
            f"{RESULTS}/encounters/{{site}}/{{array}}.npy",
            site=GOLD_SITES,
            array=["offsets", "tokens", "labels"],
        ),
        splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=GOLD_SITES),
    output:
        f"{ANALYSIS}/extraction.parquet",
    log:
        f"{RESULTS}/logs/extraction_accuracy.log",
    benchmark:
        f"{RESULTS}/benchmarks/extraction_accuracy.tsv"
    conda:
        ENVIRONMENT
    params:
        gold=fixed(grid.gold),
        evaluation=evaluation_settings("draws", "confidence"),
        seed=study.seed,
        vocabulary=reads(*WORDLESS),
        code=code_of("extraction_accuracy"),
    script:
        "../scripts/extraction_accuracy.py"


rule extraction_cost:
    input:
        read=prediction_files(grid.twins),
        gold=prediction_files(grid.twins.values()),
        splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=grid.gold),
    output:
        f"{ANALYSIS}/extraction_cost.parquet",
    log:
        f"{RESULTS}/logs/extraction_cost.log",
    benchmark:
        f"{RESULTS}/benchmarks/extraction_cost.tsv"
    conda:
        ENVIRONMENT
    params:
        blocks=len(grid.blocks),
        evaluation=evaluation_settings("confidence", "min_positives", "small_cells"),
        code=code_of("extraction_cost"),
    script:
        "../scripts/extraction_cost.py"


def mention_reviews():
    """The reviews of all sites whose findings are read from notes."""
    return expand(f"{RESULTS}/mentions/{{site}}.tsv", site=NOTED)


def extraction_tables():
    """What is known of findings read from notes, where a study has their gold."""
    if not grid.gold:
        return []
    return [*rules.extraction_accuracy.output, *rules.extraction_cost.output]
