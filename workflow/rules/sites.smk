# Raw site files -> canonical encounters -> splits -> checks.

SITE_FILES = ["encounters.parquet", "labels.npy", *INPUTS["findings"].files, "report.json"]
# What the check needs is made before anything is trained, because the check may refuse it.
FIRST = 100
TRAINING_FILES = [*INPUTS["findings"].arrays, "labels.npy"]


def site_outputs(site, names=SITE_FILES):
    return expand(f"{RESULTS}/encounters/{site}/{{file}}", file=names)


def adapter_code(script, *runs):
    """Digest of a script and of what it runs of the adapter of its site."""
    return lambda wildcards: code_of(
        script, *ADAPTERS.modules(study.sites[wildcards.site].adapter, *runs)
    )


def read_of_site(wildcards):
    """A site's settings, without those that its adapter does not read."""
    return stable(study.sites[wildcards.site].model_dump(mode="json", exclude=UNREAD))


def split_parameters():
    """The settings that matter to the chosen kind of split, and no others."""
    split = study.split.model_dump(mode="json")
    used = {
        "given": [],
        "time": ["test_from"],
        "share": ["test_share"],
        "folds": ["folds"],
    }
    keep = ["by", "validation_share", *used[split["by"]]]
    return fixed({key: split[key] for key in keep})


def asked_bins(wildcards):
    """Concept -> how many bins, of those that follow the site's quantiles."""
    chosen = {c: b.quantiles for c, b in study.bins.items() if b.quantiles}
    return stable({c: q.bins for c, q in chosen.items() if q.of == wildcards.site})


rule quantile_edges:
    input:
        vocabulary=ancient(study.vocabulary),
        files=lambda wildcards: site_inputs(study.sites[wildcards.site], ROOT),
    output:
        f"{RESULTS}/bins/{{site}}.json",
    log:
        f"{RESULTS}/logs/quantile_edges/{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/quantile_edges/{{site}}.tsv"
    wildcard_constraints:
        site=alternatives(QUANTILE_SITES),
    priority: FIRST
    conda:
        ENVIRONMENT
    params:
        site=read_of_site,
        bins=asked_bins,
        task=fixed(study.task.model_dump(mode="json", include={"label", "classes"})),
        split=split_parameters(),
        seed=study.seed,
        vocabulary=reads("concepts", "states"),
        code=adapter_code("quantile_edges", "columns", "numbers"),
    script:
        "../scripts/quantile_edges.py"


rule write_vocabulary:
    input:
        **vocabulary_files(),
    output:
        f"{RESULTS}/vocabulary.tsv",
    log:
        f"{RESULTS}/logs/write_vocabulary.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_vocabulary.tsv"
    conda:
        ENVIRONMENT
    params:
        vocabulary=reads(*WORDLESS, "texts"),
        code=code_of("write_vocabulary"),
    script:
        "../scripts/write_vocabulary.py"


rule encode_site:
    input:
        **vocabulary_files(),
        files=lambda wildcards: site_inputs(study.sites[wildcards.site], ROOT),
    output:
        expand(f"{RESULTS}/encounters/{{{{site}}}}/{{file}}", file=SITE_FILES),
    log:
        f"{RESULTS}/logs/encode_site/{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode_site/{{site}}.tsv"
    priority: FIRST
    conda:
        ENVIRONMENT
    params:
        site=read_of_site,
        task=fixed(study.task.model_dump(mode="json")),
        vocabulary=reads("concepts", "categories", "states"),
        code=adapter_code("encode_site", "read"),
    script:
        "../scripts/encode_site.py"


def divided_together(wildcards):
    """The encounters of the site, and of all others where they may be of the same people."""
    sites = grid.sites if study.split.shared_identifiers else [wildcards.site]
    return expand(f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=sites)


rule split_site:
    input:
        divided_together,
    output:
        f"{RESULTS}/splits/{{site}}.parquet",
    log:
        f"{RESULTS}/logs/split_site/{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split_site/{{site}}.tsv"
    priority: FIRST
    conda:
        ENVIRONMENT
    params:
        split=split_parameters(),
        seed=study.seed,
        code=code_of("split_site"),
    script:
        "../scripts/split_site.py"


rule check_sites:
    input:
        **vocabulary_files(),
        reports=expand(f"{RESULTS}/encounters/{{site}}/report.json", site=grid.sites),
        encounters=expand(f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=grid.sites),
        splits=expand(f"{RESULTS}/splits/{{site}}.parquet", site=grid.sites),
        histories=expand(f"{RESULTS}/encounters/{{site}}/{REPORT}", site=grid.histories),
    output:
        table=f"{RESULTS}/check.tsv",
        text=f"{RESULTS}/check.txt",
        warnings=f"{RESULTS}/warnings.json",
    log:
        f"{RESULTS}/logs/check_sites.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_sites.tsv"
    # What it refuses, no training job needs to find out. Not an input of training, or another
    # target size would train everything again.
    priority: FIRST
    conda:
        ENVIRONMENT
    params:
        sizes=study.target_sizes,
        targets=grid.targets,
        task=fixed(study.task.model_dump(mode="json")),
        small_cells=study.evaluation.small_cells,
        tables=fixed({name: table_files(study.sites[name]) for name in grid.sites}),
        one_source=fixed(parts_of_one_source(study, grid.sites)),
        vocabulary=reads("concepts", "names", "categories", "states"),
        code=code_of("check_sites"),
    script:
        "../scripts/check_sites.py"


rule download:
    output:
        "{file}",
    log:
        f"{RESULTS}/logs/download/{{file}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/download/{{file}}.tsv"
    wildcard_constraints:
        file=alternatives(downloads(study, ROOT)),
    priority: FIRST
    localrule: True  # compute nodes often have no network
    conda:
        ENVIRONMENT
    params:
        site=lambda wildcards: stable(downloads(study, ROOT)[wildcards.file]),
    script:
        "../scripts/download.py"


rule encounters:
    input:
        [site_outputs(site) for site in grid.sites],
        rules.check_sites.output,


rule check:
    input:
        rules.check_sites.output.text,
    log:
        f"{RESULTS}/logs/check.log",
    localrule: True  # without output or benchmark it runs, and prints, every time it is asked for
    conda:
        ENVIRONMENT
    shell:
        "tee {log:q} < {input:q}"
