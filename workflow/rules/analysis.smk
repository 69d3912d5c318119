# How different the sites are, what the embeddings know, and the best that any model could reach.

ANALYSIS = f"{RESULTS}/analysis"


def meaningful():
    """Embeddings that are no random or shuffled control, and the same for all sites."""
    return [
        name
        for name, entry in study.embeddings.items()
        if control_of(entry) is None and not study.has_table_each_site(name)
    ]


def targets_with_ceiling():
    """Targets whose adapter knows the truth that they were sampled from."""
    return [name for name in grid.targets if ADAPTERS[study.sites[name].adapter].posterior]


rule site_shift:
    input:
        **vocabulary_files(),
        offsets=expand(f"{RESULTS}/encounters/{{site}}/offsets.npy", site=grid.sites),
        arrays=expand(
            f"{RESULTS}/encounters/{{site}}/{{array}}.npy",
            site=grid.sites,
            array=["tokens", "labels"],
        ),
        splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=grid.sites),
        embeddings=tables_of(meaningful()),
    output:
        shift=f"{ANALYSIS}/shift.parquet",
        findings=f"{ANALYSIS}/shift_findings.parquet",
    log:
        f"{RESULTS}/logs/site_shift.log",
    benchmark:
        f"{RESULTS}/benchmarks/site_shift.tsv"
    conda:
        ENVIRONMENT
    params:
        evaluation=evaluation_settings("draws", "confidence"),
        seed=study.seed,
        vocabulary=reads(*WORDLESS),
        code=code_of("site_shift"),
    script:
        "../scripts/site_shift.py"


rule shift_loss:
    input:
        comparisons=rules.compare.output.comparisons,
        shift=rules.site_shift.output.shift,
    output:
        loss=f"{ANALYSIS}/shift_loss.parquet",
        correlations=f"{ANALYSIS}/shift_correlations.parquet",
    log:
        f"{RESULTS}/logs/shift_loss.log",
    benchmark:
        f"{RESULTS}/benchmarks/shift_loss.tsv"
    conda:
        ENVIRONMENT
    params:
        sizes=grid.sizes,
        unchanged=[name for name in study.strategies if study.strategy(name).is_unchanged],
        code=code_of("shift_loss"),
    script:
        "../scripts/shift_loss.py"


rule embedding_geometry:
    input:
        **vocabulary_files(),
        embeddings=shown_tables(),
    output:
        geometry=f"{ANALYSIS}/geometry.parquet",
        neighbours=f"{ANALYSIS}/neighbours.parquet",
        map=f"{ANALYSIS}/map.parquet",
    log:
        f"{RESULTS}/logs/embedding_geometry.log",
    benchmark:
        f"{RESULTS}/benchmarks/embedding_geometry.tsv"
    conda:
        ENVIRONMENT
    params:
        seed=study.seed,
        vocabulary=reads(*WORDLESS),
        code=code_of("embedding_geometry"),
    script:
        "../scripts/embedding_geometry.py"


def document_analysis():
    """The tables of documents' spaces, where there are any."""
    return rules.document_space.output if study.document_encoders() else []


if study.document_encoders():

    rule document_space:
        input:
            vectors=expand(
                f"{RESULTS}/encoders/{{encoder}}/0/documents/{{site}}.npy",
                encoder=study.document_encoders(),
                site=grid.texts,
            ),
            splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=grid.texts),
        output:
            space=f"{ANALYSIS}/document_space.parquet",
            map=f"{ANALYSIS}/document_map.parquet",
        log:
            f"{RESULTS}/logs/document_space.log",
        benchmark:
            f"{RESULTS}/benchmarks/document_space.tsv"
        conda:
            ENVIRONMENT
        params:
            evaluation=evaluation_settings("draws", "confidence", "small_cells"),
            classes=study.task.class_names,
            seed=study.seed,
            code=code_of("document_space"),
        script:
            "../scripts/document_space.py"


def posterior_modules():
    """The modules of the adapters that know the true probabilities."""
    adapters = [study.sites[name].adapter for name in targets_with_ceiling()]
    return record_modules(ADAPTERS, adapters, "posterior")


rule ceiling:
    input:
        **vocabulary_files(),
        networks=[site_inputs(study.sites[name], ROOT) for name in targets_with_ceiling()],
        encounters=expand(
            f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=targets_with_ceiling()
        ),
        splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=targets_with_ceiling()),
    output:
        f"{ANALYSIS}/ceiling.json",
    log:
        f"{RESULTS}/logs/ceiling.log",
    benchmark:
        f"{RESULTS}/benchmarks/ceiling.tsv"
    conda:
        ENVIRONMENT
    params:
        sites=fixed(
            {name: study.sites[name].model_dump(mode="json") for name in targets_with_ceiling()}
        ),
        task=fixed(study.task.model_dump(mode="json")),
        confidence=study.evaluation.confidence,
        vocabulary=reads("concepts", "categories", "states"),
        code=code_of("ceiling", *posterior_modules()),
    script:
        "../scripts/ceiling.py"


rule analysis:
    input:
        rules.site_shift.output,
        rules.shift_loss.output,
        rules.embedding_geometry.output,
        rules.ceiling.output,
