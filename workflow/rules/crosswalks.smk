# Codes without a concept -> proposals for a crosswalk, to be reviewed.

CODED = [
    name
    for name in grid.sites
    if isinstance(study.sites[name], CodedSite) and study.sites[name].crosswalk
]
# Embeddings that can embed a text that is no token's.
READERS = {
    name: embedding
    for name, embedding in study.embeddings.items()
    if PROVIDERS[embedding.provider].texts and not encoder_of(embedding)
}
READING = record_modules(PROVIDERS, [e.provider for e in READERS.values()], "texts")


def described_codes():
    """Site -> its crosswalk and the descriptions of its codes."""
    return {
        name: (study.sites[name].crosswalk, study.sites[name].code_descriptions) for name in CODED
    }


rule write_proposals:
    input:
        **vocabulary_files(),
        reports=expand(f"{RESULTS}/encounters/{{site}}/report.json", site=CODED),
        files=[file for files in described_codes().values() for file in files if file],
        models=[
            file
            for name, embedding in READERS.items()
            for file in embedding_inputs(name, embedding, ROOT)
        ],
    output:
        proposals=expand(f"{RESULTS}/crosswalk/{{site}}.tsv", site=CODED),
        accuracy=f"{RESULTS}/crosswalk_accuracy.tsv",
        text=f"{RESULTS}/crosswalk.txt",
    log:
        f"{RESULTS}/logs/write_proposals.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_proposals.tsv"
    conda:
        ENVIRONMENT
    threads: study.resources.threads
    resources:
        gpu=study.resources.gpu,
        device=study.resources.device,
    params:
        sites=fixed(described_codes()),
        embeddings=fixed(
            {name: embedding.model_dump(mode="json") for name, embedding in READERS.items()}
        ),
        seed=study.seed,
        small_cells=study.evaluation.small_cells,
        vocabulary=reads(*WORDLESS, "texts"),
        code=code_of("propose_crosswalk", *READING),
    script:
        "../scripts/propose_crosswalk.py"


rule propose_crosswalk:
    input:
        rules.write_proposals.output.text,
    log:
        f"{RESULTS}/logs/propose_crosswalk.log",
    localrule: True  # without output or benchmark it runs, and prints, every time it is asked for
    conda:
        ENVIRONMENT
    shell:
        "tee {log:q} < {input:q}"
