# Tokens -> one embedding table each.


def embedding_parent(name):
    """The table another embedding is made from, as input."""
    parents = parents_of(study.embeddings[name])
    return expand(f"{RESULTS}/embeddings/{{parent}}.safetensors", parent=parents)


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
        parents=lambda wildcards: embedding_parent(wildcards.embedding),
        files=about_embedding(embedding_inputs),
        language_model=language_model,
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


rule embeddings:
    input:
        expand(f"{RESULTS}/embeddings/{{embedding}}.safetensors", embedding=study.embeddings),
