rule probe_blocks:
    input:
        data=VERIFIED_DATA,
        model=f"{MODEL}/model.safetensors",
    output:
        probes=f"{MODEL}/probes.csv",
        deletion=f"{MODEL}/deletion.csv",
        provenance=f"{MODEL}/probe_provenance.json",
    log:
        f"{LOGS}/{{model}}/seed{{seed}}/probe_blocks.log",
    conda:
        "../../environment.yml"
    threads: THREADS
    resources:
        mem_mb=probe_memory,
        runtime=probe_minutes,
        processes=processes(),
        checkpoint_minutes=config["training"]["checkpoint_minutes"],
    params:
        timing=f"{TIMINGS}/{{model}}/seed{{seed}}/probe_blocks.tsv",
        recipe=probe_options(),
        code=code_with_family("probe_blocks.py"),
    message:
        "Linear probes and deleted blocks of {wildcards.model}, seed {wildcards.seed}"
    # exec: see the rule train.
    shell:
        "exec python scripts/probe_blocks.py {input.model} --data {input.data} {params.recipe}"
        " --checkpoint-minutes {resources.checkpoint_minutes} {resources.processes} --timing {params.timing}"
        " --probes {output.probes} --deletion {output.deletion} --provenance {output.provenance} > {log} 2>&1"


for figure in BLOCK_FIGURES:

    rule:
        name:
            figure
        input:
            cka=files_of(BLOCK_FIGURES[figure], "cka.h5"),
            components=files_of(BLOCK_FIGURES[figure], "pca.h5"),
            probes=files_of(BLOCK_FIGURES[figure], "probes.csv") if figure != "fig4-delete" else [],
            deletion=files_of(BLOCK_FIGURES[figure], "deletion.csv") if figure != "fig4-probes" else [],
            metrics=files_of(BLOCK_FIGURES[figure], "metrics.json"),
        output:
            pdf=f"{FIGURE}/{figure}.pdf",
            csv=f"{FIGURE}/{figure}.csv",
            png=report(
                f"{FIGURE}/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Residual blocks",
                labels=report_label(figure, BLOCK_TITLES[figure]),
            ),
        log:
            f"{LOGS}/figures/{figure}.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            timing=f"{TIMINGS}/figures/{figure}.tsv",
            probes=lambda wildcards, input: option("probes", [*input.probes]) if input.probes else "",
            deletion=lambda wildcards, input: option("deletion", [*input.deletion]) if input.deletion else "",
            colour_map=config["figures"]["colour_map"],
            order=labels(BLOCK_FIGURES[figure]),
            code=code("plot_blocks.py"),
        message:
            "Drawing {output.png}"
        shell:
            "python scripts/plot_blocks.py --cka {input.cka} --components {input.components}"
            " {params.probes} {params.deletion} --metrics {input.metrics} --colour-map {params.colour_map}"
            " --threads {threads} --timing {params.timing} --out {output.pdf} {output.png} {output.csv} > {log} 2>&1"
