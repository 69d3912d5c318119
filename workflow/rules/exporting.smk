# Fitted models -> bundles that leave the hospital.


def exported_sources():
    """The cards of the models of sources with encounters, controls apart."""
    return [
        f"{RESULTS}/sources/{source}/{embedding}/{classifier}/block{block}/card.json"
        for source in LEARNING_SOURCES
        for embedding, classifier in grid.models
        if embedding in grid.kept_embeddings and not study.is_received(embedding)
        for block in grid.blocks
    ]


rule export_models:
    input:
        **vocabulary_files(),
        sources=exported_sources(),
        kept=kept_cards(),
        predictions=prediction_files(grid.kept_cells),
        received=[
            f"{RESULTS}/sources/{source}/{embedding}/{classifier}/block{block}/card.json"
            for source, models in grid.received.items()
            for embedding, classifier in models
            for block in grid.blocks
        ],
        encounters=expand(f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=grid.sites),
        splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=grid.sites),
    output:
        f"{RESULTS}/exports/index.tsv",
    log:
        f"{RESULTS}/logs/export_models.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_models.tsv"
    conda:
        ENVIRONMENT
    params:
        evaluation=fixed(study.evaluation.model_dump(mode="json")),
        use=fixed(study.keep.model_dump(mode="json", include={"licence", "intended_use"})),
        limits=fixed({name: ADAPTERS[study.sites[name].adapter].limitation for name in grid.sites}),
        taught=taught_by_documents(study),
        classes=list(study.task.class_names),
        seed=study.seed,
        vocabulary=reads(*WORDLESS),
        code=code_of("export_models", *MODEL_RECORDS),
    script:
        "../scripts/export_models.py"


rule export_bundle:
    input:
        rules.export_models.output,
    log:
        f"{RESULTS}/logs/export_bundle.log",
    localrule: True  # without output or benchmark it runs, and prints, every time it is asked for
    conda:
        ENVIRONMENT
    shell:
        "tee {log:q} < {input:q}"
