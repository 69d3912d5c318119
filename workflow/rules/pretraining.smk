# Timelines of the patients who never test -> encoders, without a label.

ENCODER = f"{RESULTS}/encoders/{{encoder}}/{{number}}"


def read_before_labels(wildcards):
    """The histories that an encoder learns from, and whose they are: whole records of patients at
    `sites`, and records before the index time at sites that are `unlabelled`."""
    encoder = study.encoders[wildcards.encoder]
    files = INPUTS["history"].arrays
    return [
        *expand(
            f"{RESULTS}/timelines/{{site}}/{{file}}",
            site=encoder.sites,
            file=[*files, PATIENTS],
        ),
        *[file for site in encoder.unlabelled for file in site_outputs(site, files)],
    ]


def who_tests(wildcards):
    """The splits that say it: of all sites where they may be of the same people; none for an
    encoder that learns nothing."""
    encoder, shared = study.encoders[wildcards.encoder], study.split.shared_identifiers
    if not encoder.learns:
        return []
    return grid.sites if shared else encoder.all_sites


if study.encoders_of("codes"):

    rule pretrain:
        input:
            **vocabulary_files(),
            histories=read_before_labels,
            encounters=lambda wildcards: expand(
                f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=who_tests(wildcards)
            ),
            splits=lambda wildcards: expand(
                f"{RESULTS}/splits/{{site}}.parquet", site=who_tests(wildcards)
            ),
            embedding=lambda wildcards: expand(
                f"{RESULTS}/embeddings/{{embedding}}.safetensors",
                embedding=filter(None, [study.encoders[wildcards.encoder].vectors]),
            ),
        output:
            expand(f"{ENCODER}/{{file}}", file=ENCODER_FILES, allow_missing=True),
        log:
            f"{RESULTS}/logs/pretrain/{{encoder}}/{{number}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/pretrain/{{encoder}}/{{number}}.tsv"
        wildcard_constraints:
            encoder=alternatives(study.encoders_of("codes")),
            number=r"\d+",
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu,
            device=study.resources.device,
        params:
            encoder=lambda wildcards: stable(
                study.encoders[wildcards.encoder].model_dump(mode="json", exclude={"copies"})
            ),
            shared_identifiers=study.split.shared_identifiers,
            seed=study.seed,
            vocabulary=reads(*IDENTITY),
            code=code_of("pretrain"),
        script:
            "../scripts/pretrain.py"


def read_by_language_model(wildcards):
    """The documents that a language model learns from; none if it learns nothing."""
    encoder = study.encoders[wildcards.encoder]
    sites = encoder.sites if encoder.learns else []
    return [file for site in sites for file in site_outputs(site, INPUTS["text"].arrays)]


if study.encoders_of("text"):

    rule adapt:
        input:
            base=lambda wildcards: base_files(wildcards.encoder, study, ROOT),
            texts=read_by_language_model,
            encounters=lambda wildcards: expand(
                f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=who_tests(wildcards)
            ),
            splits=lambda wildcards: expand(
                f"{RESULTS}/splits/{{site}}.parquet", site=who_tests(wildcards)
            ),
        output:
            expand(f"{ENCODER}/{{file}}", file=LANGUAGE_MODEL_FILES, allow_missing=True),
        log:
            f"{RESULTS}/logs/adapt/{{encoder}}/{{number}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/adapt/{{encoder}}/{{number}}.tsv"
        wildcard_constraints:
            encoder=alternatives(study.encoders_of("text")),
            number=r"\d+",
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu,
            device=study.resources.device,
        params:
            encoder=lambda wildcards: stable(
                study.encoders[wildcards.encoder].model_dump(mode="json", exclude={"copies"})
            ),
            base=lambda wildcards: base_content(wildcards.encoder, study, ROOT),
            shared_identifiers=study.split.shared_identifiers,
            seed=study.seed,
            code=code_of("adapt"),
        script:
            "../scripts/adapt.py"


rule encoders:
    input:
        [
            f"{RESULTS}/encoders/{name}/{number}/encoder.json"
            for name, encoder in study.encoders.items()
            if not study.is_received(name)
            for number in range(encoder.copies)
        ],
