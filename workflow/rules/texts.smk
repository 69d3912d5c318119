# Raw site files, or the findings made of them -> a document an encounter.


def writes_texts(wildcards):
    """Whether the documents of a site are its own, and not its findings written out."""
    return bool(ADAPTERS[study.sites[wildcards.site].adapter].texts)


def sources_of_texts(wildcards):
    return site_inputs(study.sites[wildcards.site], ROOT) if writes_texts(wildcards) else []


rule encode_texts:
    input:
        **vocabulary_files(),
        encounters=lambda wildcards: site_outputs(
            wildcards.site, ["encounters.parquet", "labels.npy", *INPUTS["findings"].arrays]
        ),
        files=sources_of_texts,
    output:
        expand(
            f"{RESULTS}/encounters/{{{{site}}}}/{{file}}",
            file=[*INPUTS["text"].files, TEXT_REPORT],
        ),
    log:
        f"{RESULTS}/logs/encode_texts/{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode_texts/{{site}}.tsv"
    wildcard_constraints:
        site=alternatives(grid.texts),
    conda:
        ENVIRONMENT
    params:
        site=read_of_site,
        task=fixed(study.task.model_dump(mode="json")),
        vocabulary=reads(*IDENTITY, "texts"),
        code=adapter_code("encode_texts", "texts"),
    script:
        "../scripts/encode_texts.py"
