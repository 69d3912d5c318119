# Predictions of all cells of a pair of sites -> those of the strategies that combine them.
# `combine` serves pairs of sites; `combine_sources` all sources of a target together.


def cells_to_combine(pair):
    """All cells that the combined cells of a pair are made of, each once."""
    return dict.fromkeys(
        candidate
        for cell, candidates in grid.combined_cells.items()
        if cell.pair == pair
        for candidate in candidates
    )


def cells_of_strategies(names):
    """They are the same for every pair. A rule must have an output, even if this study asks nothing
    of it."""
    made = {f"{c.strategy}/{c.size}" for c in grid.combined_cells if c.strategy in names}
    return sorted(made) or ["nothing"]


SHARES = f"{RESULTS}/combinations/{{pair}}/block{{block}}.parquet"


for job, gathers in (("combine", False), ("combine_sources", True)):

    names = [n for n in study.combining_strategies() if study.strategy(n).gathers == gathers]
    kinds = [study.strategies[name].kind for name in names]
    pairs = study.gathered() if gathers else grid.pairs

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
                for cell in cells_of_strategies(names)
            ],
            shares=SHARES,
        log:
            f"{RESULTS}/logs/combine/{{pair}}/block{{block}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/combine/{{pair}}/block{{block}}.tsv"
        wildcard_constraints:
            pair=alternatives([f"{source}-to-{target}" for source, target in pairs]),
        conda:
            ENVIRONMENT
        params:
            strategies=fixed({name: grid.strategy_settings(name) for name in names}),
            replicates=block_replicates,
            seed=study.seed,
            classes=len(study.task.class_names),
            code=code_of("combine", *record_modules(STRATEGIES, kinds)),
        script:
            "../scripts/combine.py"


def share_files():
    """What all combined cells are made of."""
    pairs = dict.fromkeys(cell.pair for cell in grid.combined_cells)
    return [SHARES.format(pair=pair, block=block) for pair in pairs for block in grid.blocks]
