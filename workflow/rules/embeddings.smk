# Tokens -> one embedding table each.


def embedding_parent(name):
    """The table another embedding is made from, as input."""
    parents = parents_of(study.embeddings[name])
    return expand(f"{RESULTS}/embeddings/{{parent}}.safetensors", parent=parents)


rule embed:
    input:
        vocabulary=study.vocabulary,
        parents=lambda wildcards: embedding_parent(wildcards.embedding),
        files=lambda wildcards: embedding_inputs(study.embeddings[wildcards.embedding], ROOT),
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
        task=fixed(study.task.model_dump(mode="json")),
        code=code_digest("embeddings", "concepts"),
    script:
        "../scripts/embed.py"


rule embeddings:
    input:
        expand(f"{RESULTS}/embeddings/{{embedding}}.safetensors", embedding=study.embeddings),
