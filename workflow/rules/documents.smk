# Documents and language models -> vectors of documents, once for all that use them.


def language_model_files(wildcards):
    return [f"{RESULTS}/encoders/{wildcards.encoder}/{wildcards.number}/{file}" for file in TAKEN]


def document_vectors(encoder, site):
    """The vectors of a site's documents by every copy of a language model."""
    copies = range(study.encoders[encoder].copies)
    return [f"{RESULTS}/encoders/{encoder}/{copy}/documents/{site}.npy" for copy in copies]


if study.encoders_of("text"):

    rule encode_documents:
        input:
            encoder=language_model_files,
            texts=lambda wildcards: site_outputs(wildcards.site, INPUTS["text"].arrays),
        output:
            f"{RESULTS}/encoders/{{encoder}}/{{number}}/documents/{{site}}.npy",
        log:
            f"{RESULTS}/logs/encode_documents/{{encoder}}/{{number}}/{{site}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/encode_documents/{{encoder}}/{{number}}/{{site}}.tsv"
        wildcard_constraints:
            encoder=alternatives(study.encoders_of("text")),
            number=r"\d+",
            site=alternatives(grid.texts),
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu,
            device=study.resources.device,
        params:
            code=code_of("encode_documents"),
        script:
            "../scripts/encode_documents.py"
