# Tokens -> one embedding table each; of embeddings that each site's encounters teach, one a site.


def embedding_parents(wildcards):
    """The tables another embedding is made from, as input."""
    parents = parents_of(study.embeddings[wildcards.embedding])
    return [table_of(parent, wildcards.get("site", "")) for parent in parents]


def teaching_encounters(wildcards):
    """What a learned table is learned from, as input: a site's findings, and who of it tests."""
    section = study.embeddings[wildcards.embedding]
    of = PROVIDERS[section.provider].learns_from(section)
    if of is None:
        return []
    site = wildcards.site if of == SOURCE else of
    arrays = site_outputs(site, [*INPUTS["findings"].arrays, "labels.npy"])
    return [*arrays, f"{RESULTS}/splits/{site}.parquet"]


def language_model(wildcards):
    """The study's own language model that reads an embedding's texts, as input."""
    encoder = encoder_of(study.embeddings[wildcards.embedding])
    return [f"{RESULTS}/encoders/{encoder}/0/{file}" for file in TAKEN] if encoder else []


def about_embedding(describe):
    """What a function says of an embedding, by its name and settings."""
    return lambda wildcards: describe(
        wildcards.embedding, study.embeddings[wildcards.embedding], ROOT
    )


def read_by_embedding(wildcards):
    """What an embedding reads of the vocabulary: its words only where vectors are made of them."""
    words = PROVIDERS[study.embeddings[wildcards.embedding].provider].reads_words
    return reads(*((*WORDLESS, "texts") if words else IDENTITY))(wildcards)


def provider_code(wildcards):
    """Digest of what an embedding's provider runs."""
    return code_of(
        "embed", *PROVIDERS.modules(study.embeddings[wildcards.embedding].provider, "embed")
    )


rule embed:
    input:
        **vocabulary_files(),
        parents=embedding_parents,
        files=about_embedding(embedding_inputs),
        language_model=language_model,
        encounters=teaching_encounters,
    output:
        table=f"{RESULTS}/embeddings/{{embedding}}.safetensors",
        card=f"{RESULTS}/embeddings/{{embedding}}.json",
    log:
        f"{RESULTS}/logs/embed/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/{{embedding}}.tsv"
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        embedding=lambda wildcards: stable(
            study.embeddings[wildcards.embedding].model_dump(mode="json")
        ),
        model=about_embedding(model_content),
        task=fixed(study.task.model_dump(mode="json")),
        vocabulary=read_by_embedding,
        code=provider_code,
    script:
        "../scripts/embed.py"


use rule embed as embed_site with:
    output:
        table=f"{RESULTS}/embeddings/{{site}}/{{embedding}}.safetensors",
        card=f"{RESULTS}/embeddings/{{site}}/{{embedding}}.json",
    log:
        f"{RESULTS}/logs/embed/{{site}}/{{embedding}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/{{site}}/{{embedding}}.tsv"


rule embeddings:
    input:
        tables_of(study.embeddings),
