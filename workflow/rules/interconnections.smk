# Codes of patients -> which belong together, by every method, judged on other patients.

INTERCONNECTIONS = f"{RESULTS}/interconnections"


def referred(kind):
    """Embeddings or encoders that methods of the study name, each once."""
    names = [
        name
        for section in CONNECTING.values()
        for name in getattr(METHODS[section.kind], kind)(section)
    ]
    return list(dict.fromkeys(names))


def prepared_methods():
    """Methods whose scores a job of their own makes."""
    return [name for name, one in CONNECTING.items() if METHODS[one.kind].prepare]


def vectors_code(wildcards):
    """Digest of what gives the vectors of texts."""
    name = behind(wildcards.embedding, study.embeddings)
    modules = PROVIDERS.modules(study.embeddings[name].provider, "texts")
    return code_of("embed_codes", *modules)


def asking_code(wildcards):
    """Digest of what a method with a job of its own runs."""
    modules = METHODS.modules(CONNECTING[wildcards.method].kind, "prepare")
    return code_of("ask_about_codes", *modules)


def connecting_code():
    """Digest of all methods, and of what knows the links of simulated sites."""
    adapters = [study.sites[name].adapter for name in simulated_with_links()]
    kinds = [one.kind for one in CONNECTING.values()]
    links = record_modules(ADAPTERS, adapters, "links")
    return code_of("interconnect", *record_modules(METHODS, kinds), *links)


def simulated_with_links():
    """Sites whose adapter knows which codes it was made to link."""
    return [name for name in grid.sites if ADAPTERS[study.sites[name].adapter].links]


if study.interconnections:

    CODES = study.interconnections.codes
    ASKED = study.interconnections.model_dump(mode="json")

    def holding_codes(wildcards):
        """Where a site's codes are read."""
        if CODES.read == "history":
            names = [*INPUTS["history"].arrays, PATIENTS]
            return expand(f"{RESULTS}/timelines/{wildcards.site}/{{file}}", file=names)
        if CODES.read == "findings":
            return site_outputs(wildcards.site, INPUTS["findings"].arrays)
        return site_inputs(study.sites[wildcards.site], ROOT)

    def table_of_codes(wildcards):
        """The table of an embedding whose provider does not read the names of codes."""
        name = wildcards.embedding
        if reads_texts(name, study.embeddings, CODES.read == "findings"):
            return []
        return [f"{RESULTS}/embeddings/{behind(name, study.embeddings)}.safetensors"]

    rule collect_codes:
        input:
            **vocabulary_files(),
            cohort=lambda wildcards: site_outputs(
                wildcards.site, ["encounters.parquet", "labels.npy"]
            ),
            codes=holding_codes,
        output:
            f"{RESULTS}/code_sets/{{site}}.npz",
        log:
            f"{RESULTS}/logs/collect_codes/{{site}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/collect_codes/{{site}}.tsv"
        conda:
            ENVIRONMENT
        params:
            site=read_of_site,
            task=fixed(study.task.model_dump(mode="json")),
            read=CODES.read,
            unit=study.interconnections.unit,
            ages=study.interconnections.ages,
            sex=study.interconnections.sex,
            vocabulary=reads("concepts", "categories", "states"),
            code=adapter_code("collect_codes", "codes"),
        script:
            "../scripts/collect_codes.py"

    rule list_codes:
        input:
            **vocabulary_files(),
            codes=expand(f"{RESULTS}/code_sets/{{site}}.npz", site=grid.sites),
            ontology=CODES.ontology or [],
        output:
            f"{INTERCONNECTIONS}/nodes.tsv",
        log:
            f"{RESULTS}/logs/list_codes.log",
        benchmark:
            f"{RESULTS}/benchmarks/list_codes.tsv"
        conda:
            ENVIRONMENT
        params:
            codes=fixed(ASKED["codes"]),
            vocabulary=reads(*WORDLESS),
            code=code_of("list_codes"),
        script:
            "../scripts/list_codes.py"

    rule embed_codes:
        input:
            **vocabulary_files(),
            nodes=rules.list_codes.output,
            table=table_of_codes,
        output:
            f"{INTERCONNECTIONS}/vectors/{{embedding}}.npy",
        log:
            f"{RESULTS}/logs/embed_codes/{{embedding}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/embed_codes/{{embedding}}.tsv"
        conda:
            ENVIRONMENT
        threads: study.resources.threads
        resources:
            gpu=study.resources.gpu,
            device=study.resources.device,
        params:
            embeddings=lambda wildcards: stable(
                {
                    name: study.embeddings[name].model_dump(mode="json")
                    for name in (
                        wildcards.embedding,
                        behind(wildcards.embedding, study.embeddings),
                    )
                }
            ),
            seed=study.seed,
            vocabulary=reads(*IDENTITY),
            code=vectors_code,
        script:
            "../scripts/embed_codes.py"

    rule ask_about_codes:
        input:
            nodes=rules.list_codes.output,
        output:
            scores=f"{INTERCONNECTIONS}/prepared/{{method}}.npy",
            facts=f"{INTERCONNECTIONS}/prepared/{{method}}.json",
        log:
            f"{RESULTS}/logs/ask_about_codes/{{method}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/ask_about_codes/{{method}}.tsv"
        wildcard_constraints:
            method=alternatives(prepared_methods()),
        conda:
            ENVIRONMENT
        params:
            settings=lambda wildcards: stable(CONNECTING[wildcards.method].model_dump(mode="json")),
            code=asking_code,
        script:
            "../scripts/ask_about_codes.py"

    rule interconnect:
        input:
            nodes=rules.list_codes.output,
            codes=expand(f"{RESULTS}/code_sets/{{site}}.npz", site=grid.sites),
            vectors=expand(
                f"{INTERCONNECTIONS}/vectors/{{embedding}}.npy", embedding=referred("embeddings")
            ),
            encoders=expand(
                f"{RESULTS}/encoders/{{encoder}}/0/{{file}}",
                encoder=referred("encoders"),
                file=EncoderFiles.names,
            ),
            prepared=expand(
                f"{INTERCONNECTIONS}/prepared/{{method}}.npy", method=prepared_methods()
            ),
            links=[site_inputs(study.sites[name], ROOT) for name in simulated_with_links()],
        output:
            **{name: f"{INTERCONNECTIONS}/{name}.parquet" for name in INTERCONNECTION_TABLES},
        log:
            f"{RESULTS}/logs/interconnect.log",
        benchmark:
            f"{RESULTS}/benchmarks/interconnect.tsv"
        conda:
            ENVIRONMENT
        params:
            interconnections=lambda wildcards: study.interconnections.model_dump_json(),
            read_by=fixed(
                {
                    name: [*study.encoders[name].sites, *study.encoders[name].unlabelled]
                    for name in referred("encoders")
                }
            ),
            simulated=fixed(
                {
                    name: study.sites[name].model_dump(mode="json")
                    for name in simulated_with_links()
                }
            ),
            evaluation=evaluation_settings("confidence", "small_cells"),
            seed=study.seed,
            code=connecting_code(),
        script:
            "../scripts/interconnect.py"


def interconnection_files():
    """What the report reads of interconnections, if the study asks for them."""
    facts = [f"{INTERCONNECTIONS}/prepared/{name}.json" for name in prepared_methods()]
    return [*rules.interconnect.output, *facts] if study.interconnections else []


rule interconnections:
    input:
        interconnection_files(),
