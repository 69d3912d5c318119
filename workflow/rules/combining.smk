# Predictions of all cells of a pair of sites -> those of the strategies that combine them.
# `combine` serves pairs of sites, `combine_received` those whose source has no encounters here;
# `combine_sources` all sources of a target together.


def cells_to_combine(pair):
    """All cells that the combined cells of a pair are made of, each once."""
    return dict.fromkeys(
        candidate
        for cell, candidates in grid.combined_cells.items()
        if cell.pair == pair
        for candidate in candidates
    )


def cells_of_strategies(names, pairs):
    """They are the same for every pair of a job's. A rule must have an output, even if this study
    asks nothing of it."""
    made = {
        f"{cell.strategy}/{cell.size}"
        for cell in grid.combined_cells
        if cell.strategy in names and (cell.source, cell.target) in pairs
    }
    return sorted(made) or ["nothing"]


SHARES = f"{RESULTS}/combinations/{{pair}}/block{{block}}.parquet"
COMBINED = {
    "combine": JOBS["transfer"],
    "combine_received": JOBS["use_received"],
    "combine_sources": study.gathered(),
}


for job, pairs in COMBINED.items():

    gathers = job == "combine_sources"
    names = [n for n in study.combining_strategies() if study.strategy(n).gathers == gathers]
    kinds = [study.strategies[name].kind for name in names]

    rule:
        name:
            job
        input:
            predictions=lambda wildcards: [
                f"{RESULTS}/predictions/{cell.path}/block{wildcards.block}.parquet"
                for cell in cells_to_combine(wildcards.pair)
            ],
            labels=lambda wildcards: site_outputs(split_pair(wildcards.pair)[1], ["labels.npy"]),
            split=lambda wildcards: f"{RESULTS}/splits/{split_pair(wildcards.pair)[1]}.parquet",
        output:
            predictions=[
                f"{RESULTS}/predictions/{{pair}}/{NO_EMBEDDING}/{ALL_MODELS}/{cell}/block{{block}}.parquet"
                for cell in cells_of_strategies(names, pairs)
            ],
            shares=SHARES,
        log:
            f"{RESULTS}/logs/combine/{{pair}}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/combine/{{pair}}/block{{block}}.tsv"
        wildcard_constraints:
            pair=alternatives([pair_name(*pair) for pair in pairs]),
        conda:
            ENVIRONMENT
        params:
            strategies=fixed({name: grid.strategy_settings(name) for name in names}),
            replicates=block_replicates,
            seed=study.seed,
            classes=len(study.task.class_names),
            balanced=study.balanced_labels,
            drawn_as=drawn_as,
            code=code_of("combine", *record_modules(STRATEGIES, kinds)),
        script:
            "../scripts/combine.py"


def share_files():
    """What all combined cells are made of."""
    pairs = dict.fromkeys(cell.pair for cell in grid.combined_cells)
    return [SHARES.format(pair=pair, block=block) for pair in pairs for block in grid.blocks]
