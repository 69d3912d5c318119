# Everything measured -> tables, figures and the page.


def warning_files():
    """What is said at the end of a run."""
    return [rules.check_sites.output.warnings, rules.compare.output.warnings]


def evidence():
    """What tables, figures and page are made from."""
    return {
        "estimates": [f"{folder}/estimates.parquet" for folder in metric_folders()],
        "subgroups": [f"{folder}/subgroups.parquet" for folder in metric_folders()],
        "calibration": [f"{folder}/calibration.parquet" for folder in metric_folders()],
        "comparisons": [rules.compare.output.comparisons],
        "answers": [rules.compare.output.answers],
        "reports": expand(f"{RESULTS}/encounters/{{site}}/report.json", site=grid.sites),
        "warnings": warning_files(),
        "cards": shown_cards(),
        "combinations": share_files(),
        "ceilings": rules.ceiling.output,
        "analysis": [
            *rules.site_shift.output,
            *rules.shift_loss.output,
            *rules.embedding_geometry.output,
            *document_analysis(),
        ],
        "extraction": extraction_tables(),
        "interconnections": interconnection_files(),
    }


def presented():
    """The study as the report shows it, in the order of the config."""
    shown = study.model_dump_json(exclude={"resources"})
    return lambda wildcards: shown


rule write_tables:
    input:
        **evidence(),
    output:
        report(
            directory(f"{RESULTS}/tables"),
            patterns=["{name}.csv"],
            caption="../report/tables.rst",
            category="Tables",
        ),
    log:
        f"{RESULTS}/logs/write_tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_tables.tsv"
    conda:
        ENVIRONMENT
    params:
        study=presented(),
        code=code_of("write_tables", *RECORDS),
    script:
        "../scripts/write_tables.py"


rule draw_figures:
    input:
        **evidence(),
    output:
        report(
            directory(f"{RESULTS}/figures"),
            patterns=["{name}.svg"],
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/draw_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_figures.tsv"
    priority: 1  # it takes longest, and the page waits for it
    conda:
        ENVIRONMENT
    threads: 2
    params:
        study=presented(),
        code=code_of("draw_figures", *RECORDS),
    script:
        "../scripts/draw_figures.py"


rule write_page:
    input:
        **evidence(),
        figures=rules.draw_figures.output,
        encounters=expand(f"{RESULTS}/encounters/{{site}}/encounters.parquet", site=grid.sites),
        embeddings=tables_of(study.embeddings),
        vocabulary=rules.write_vocabulary.output[0] if study.bins else study.vocabulary,
    output:
        page=report(f"{RESULTS}/report.html", caption="../report/page.rst", category="Report"),
        methods=f"{RESULTS}/methods.md",
    log:
        f"{RESULTS}/logs/write_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_page.tsv"
    conda:
        ENVIRONMENT
    params:
        study=presented(),
        code=code_of("write_page", *RECORDS),
    script:
        "../scripts/write_page.py"


def final_output():
    """The chosen study, complete: the page and all that lies beside it."""
    return [
        *rules.check_sites.output,
        *rules.write_page.output,
        *rules.write_tables.output,
        *mention_reviews(),
    ]


rule tables:
    input:
        rules.write_tables.output,


rule figures:
    input:
        rules.draw_figures.output,


rule page:
    input:
        rules.write_page.output,
