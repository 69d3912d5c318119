# Corpora -> taggers that learn from them -> what they find in test parts -> scores -> the report.
from concept_transfer.extraction.expected import expected_times
from concept_transfer.extraction.files import check_extraction, model_files, part_files
from concept_transfer.extraction.kept import kept_files
from concept_transfer.extraction.settings import Ensemble, load_extraction
from concept_transfer.extraction.tagger import LEARN
from concept_transfer.extraction.taggings import FILES as TAGGING_FILES

try:
    if planning:
        check_files(map(Path, workflow.configfiles))
    study = load_extraction(config, " + ".join(map(str, workflow.configfiles)))
    if planning:
        check_extraction(study, ROOT)
        check_writable(Path(workflow.modifier.modify_path(f"results/{study.extraction}/logs")))
except StudyError as error:
    raise WorkflowError(str(error)) from None

for sentence in expected_times(study, ROOT) if planning else []:
    logger.warning(sentence)

fix_threads(study.resources.threads)

RESULTS = f"results/{study.extraction}"
PART = f"{RESULTS}/corpora/{{corpus}}/{{part}}"
TAGGING = f"{RESULTS}/taggings/{{corpus}}/{{train}}/{{tagger}}/{{replicate}}"
TAGGER = f"{RESULTS}/taggers/{{corpus}}/{{train}}/{{tagger}}/{{replicate}}"
SCORES = f"{RESULTS}/scores/{{corpus}}"


def parts_of(corpus):
    """The parts of a corpus that the study reads."""
    learned = [part for parts in study.train.values() for part in parts]
    return list(dict.fromkeys([*learned, study.corpora[corpus].test]))


def test_of(wildcards):
    return (
        PART.format(corpus=wildcards.corpus, part=study.corpora[wildcards.corpus].test) + ".parquet"
    )


def tagging_files(corpus, train, tagger, replicates):
    return [
        f"{TAGGING}/{file}".format(corpus=corpus, train=train, tagger=tagger, replicate=replicate)
        for replicate in replicates
        for file in TAGGING_FILES
    ]


def tagging_outputs(tagger):
    return [f"{TAGGING}/{file}".replace("{tagger}", tagger) for file in TAGGING_FILES]


def tagger_outputs(tagger):
    """The files of what has learned."""
    files = kept_files(tagger, study.taggers)
    return [f"{TAGGER}/{file}".replace("{tagger}", tagger) for file in files]


def replicate_of(member, wildcards):
    """That of an ensemble's member which has so many, or the only one."""
    return int(wildcards.replicate) % study.repeats(member)


def files_of_members(outputs, tagger):
    """Some files of the taggers that an ensemble is of."""
    return lambda wildcards: [
        file.format(
            corpus=wildcards.corpus,
            train=wildcards.train,
            replicate=replicate_of(member, wildcards),
        )
        for member in tagger.of
        for file in outputs(member)
    ]


def types_of(wildcards):
    return study.corpora[wildcards.corpus].types


wildcard_constraints:
    corpus=alternatives(study.corpora),
    part=alternatives({part for corpus in study.corpora for part in parts_of(corpus)}),
    train=alternatives(study.train),
    replicate=r"\d+",


rule read_corpus:
    input:
        lambda wildcards: part_files(study.corpora[wildcards.corpus], wildcards.part, ROOT),
    output:
        words=f"{PART}.parquet",
        facts=f"{PART}.json",
    log:
        f"{RESULTS}/logs/read_corpus/{{corpus}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_corpus/{{corpus}}/{{part}}.tsv"
    conda:
        ENVIRONMENT
    params:
        corpus=lambda wildcards: study.corpora[wildcards.corpus].model_dump_json(),
        code=code_of("read_corpus"),
    script:
        "../scripts/read_corpus.py"


for name, tagger in study.taggers.items():

    if isinstance(tagger, Ensemble):

        rule:
            name:
                f"tag_{name}"
            input:
                taggings=files_of_members(tagging_outputs, tagger),
                taggers=files_of_members(tagger_outputs, tagger),
                test=test_of,
            output:
                tagging=tagging_outputs(name),
                tagger=tagger_outputs(name),
            log:
                f"{RESULTS}/logs/tag/{{corpus}}/{{train}}/{name}/{{replicate}}.log",
            benchmark:
                f"{RESULTS}/benchmarks/tag/{{corpus}}/{{train}}/{name}/{{replicate}}.tsv"
            conda:
                ENVIRONMENT
            params:
                tagger=fixed(tagger.model_dump(mode="json")),
                types=types_of,
                code=code_of("tag_together"),
            script:
                "../scripts/tag_together.py"

    else:
        is_network = tagger.kind == "encoder"

        rule:
            name:
                f"tag_{name}"
            input:
                train=lambda wildcards: expand(
                    f"{PART}.parquet", corpus=wildcards.corpus, part=study.train[wildcards.train]
                ),
                test=test_of,
                model=model_files(name, tagger, ROOT) if is_network else [],
            output:
                tagging=tagging_outputs(name),
                tagger=tagger_outputs(name),
            log:
                f"{RESULTS}/logs/tag/{{corpus}}/{{train}}/{name}/{{replicate}}.log",
            benchmark:
                f"{RESULTS}/benchmarks/tag/{{corpus}}/{{train}}/{name}/{{replicate}}.tsv"
            conda:
                ENVIRONMENT
            threads: study.resources.threads
            resources:
                gpu=study.resources.gpu if is_network else 0,
                device=study.resources.device,
            params:
                name=name,
                tagger=fixed(tagger.model_dump(mode="json")),
                types=types_of,
                seed=study.seed,
                code=code_of("tag", LEARN[tagger.kind].partition(":")[0]),
            script:
                "../scripts/tag.py"


rule measure_taggers:
    input:
        taggings=lambda wildcards: [
            file
            for corpus, train, tagger in study.cells()
            if corpus == wildcards.corpus
            for file in tagging_files(corpus, train, tagger, range(study.repeats(tagger)))
        ],
        test=test_of,
    output:
        scores=f"{SCORES}/scores.parquet",
        tests=f"{SCORES}/tests.parquet",
        warnings=f"{SCORES}/warnings.json",
    log:
        f"{RESULTS}/logs/measure_taggers/{{corpus}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_taggers/{{corpus}}.tsv"
    conda:
        ENVIRONMENT
    params:
        types=types_of,
        evaluation=study.evaluation.model_dump_json(),
        seed=study.seed,
        code=code_of("measure_taggers"),
    script:
        "../scripts/measure_taggers.py"


def warning_files():
    """What is said at the end of a run."""
    return expand(f"{SCORES}/warnings.json", corpus=study.corpora)


def all_parts(suffix):
    return [
        PART.format(corpus=corpus, part=part) + suffix
        for corpus in study.corpora
        for part in parts_of(corpus)
    ]


def presented():
    """The study as the report shows it, in the order of the config."""
    shown = study.model_dump_json(exclude={"resources"})
    return lambda wildcards: shown


rule report_taggers:
    input:
        scores=expand(f"{SCORES}/scores.parquet", corpus=study.corpora),
        tests=expand(f"{SCORES}/tests.parquet", corpus=study.corpora),
        warnings=warning_files(),
        parts=all_parts(".parquet"),
        facts=all_parts(".json"),
    output:
        page=report(f"{RESULTS}/report.html", caption="../report/page.rst", category="Report"),
        tables=report(
            directory(f"{RESULTS}/tables"),
            patterns=["{name}.csv"],
            caption="../report/tables.rst",
            category="Tables",
        ),
        figures=report(
            directory(f"{RESULTS}/figures"),
            patterns=["{name}.svg"],
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/report_taggers.log",
    benchmark:
        f"{RESULTS}/benchmarks/report_taggers.tsv"
    conda:
        ENVIRONMENT
    params:
        study=presented(),
        code=code_of("report_taggers"),
    script:
        "../scripts/report_taggers.py"


def final_output():
    """The chosen study, complete."""
    return rules.report_taggers.output
