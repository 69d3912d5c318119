# Raw site files and the encounters made of them -> the patients' events in the order of time.

COHORT_HISTORIES = [*INPUTS["history"].files, REPORT]
TIMELINES = [*INPUTS["history"].files, PATIENTS]


rule encode_histories:
    input:
        encounters=lambda wildcards: site_outputs(
            wildcards.site, ["encounters.parquet", "labels.npy"]
        ),
        files=lambda wildcards: site_inputs(study.sites[wildcards.site], ROOT),
    output:
        cohort=expand(f"{RESULTS}/encounters/{{{{site}}}}/{{file}}", file=COHORT_HISTORIES),
        patients=expand(f"{RESULTS}/timelines/{{{{site}}}}/{{file}}", file=TIMELINES),
    log:
        f"{RESULTS}/logs/encode_histories/{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode_histories/{{site}}.tsv"
    wildcard_constraints:
        site=alternatives(grid.histories),
    conda:
        ENVIRONMENT
    params:
        site=read_of_site,
        task=fixed(study.task.model_dump(mode="json", include={"label", "classes"})),
        code=adapter_code("encode_histories", "histories"),
    script:
        "../scripts/encode_histories.py"
