# Every heatmap figure is drawn by one program from a list of panels; the rules differ in panels, caption and labels.
rule fig1:
    input:
        similarities=heatmap_files("fig1"),
        metrics=heatmap_metrics("fig1"),
    output:
        pdf=f"{FIGURE}/fig1.pdf",
        csv=f"{FIGURE}/fig1.csv",
        png=report(
            f"{FIGURE}/fig1.png",
            caption="../report/fig1.rst",
            category="Similarity within a network",
            labels={"figure": "fig1", "shows": "one seed, by depth and by width"},
        ),
    log:
        f"{LOGS}/figures/fig1.log",
    benchmark:
        f"{TIMINGS}/figures/fig1.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    params:
        panels=heatmap_options("fig1"),
        colour_map=config["figures"]["colour_map"],
        code=code("plot_heatmaps.py"),
    message:
        "Drawing {output.png}"
    shell:
        "python scripts/plot_heatmaps.py {params.panels} --metrics {input.metrics}"
        " --colour-map {params.colour_map} --threads {threads} --out {output.pdf} {output.png} {output.csv} > {log} 2>&1"


use rule fig1 as fig1_seeds with:
    input:
        similarities=heatmap_files("fig1-seeds"),
        metrics=heatmap_metrics("fig1-seeds"),
    output:
        pdf=f"{FIGURE}/fig1-seeds.pdf",
        csv=f"{FIGURE}/fig1-seeds.csv",
        png=report(
            f"{FIGURE}/fig1-seeds.png",
            caption="../report/fig1-seeds.rst",
            category="Similarity within a network",
            labels={"figure": "fig1-seeds", "shows": "all seeds"},
        ),
    log:
        f"{LOGS}/figures/fig1-seeds.log",
    benchmark:
        f"{TIMINGS}/figures/fig1-seeds.tsv"
    params:
        panels=heatmap_options("fig1-seeds"),
        colour_map=config["figures"]["colour_map"],
        code=code("plot_heatmaps.py"),


use rule fig1 as fig5 with:
    input:
        similarities=heatmap_files("fig5"),
        metrics=heatmap_metrics("fig5"),
    output:
        pdf=f"{FIGURE}/fig5.pdf",
        csv=f"{FIGURE}/fig5.csv",
        png=report(
            f"{FIGURE}/fig5.png",
            caption="../report/fig5.rst",
            category="Similarity between networks",
            labels={"figure": "fig5", "shows": "one pair of networks"},
        ),
    log:
        f"{LOGS}/figures/fig5.log",
    benchmark:
        f"{TIMINGS}/figures/fig5.tsv"
    params:
        panels=heatmap_options("fig5"),
        colour_map=config["figures"]["colour_map"],
        code=code("plot_heatmaps.py"),


use rule fig1 as F with:
    input:
        similarities=heatmap_files("F"),
        metrics=heatmap_metrics("F"),
    output:
        pdf=f"{FIGURE}/F.pdf",
        csv=f"{FIGURE}/F.csv",
        png=report(
            f"{FIGURE}/F.png",
            caption="../report/F.rst",
            category="Similarity between networks",
            labels={"figure": "F", "shows": "mean over pairs of seeds"},
        ),
    log:
        f"{LOGS}/figures/F.log",
    benchmark:
        f"{TIMINGS}/figures/F.tsv"
    params:
        panels=heatmap_options("F"),
        colour_map=config["figures"]["colour_map"],
        code=code("plot_heatmaps.py"),


rule summarise:
    input:
        similarities=[file_of(model, seed, "cka.h5") for model, seeds in SEEDS.items() for seed in seeds],
        metrics=[file_of(model, seed, "metrics.json") for model, seeds in SEEDS.items() for seed in seeds],
    output:
        csv=report(
            f"{RESULTS}/summary.csv",
            caption="../report/summary.rst",
            category="Networks",
            labels={"figure": "summary", "shows": "accuracy and block size of every network"},
        ),
    log:
        f"{LOGS}/summarise.log",
    benchmark:
        f"{TIMINGS}/summarise.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    params:
        code=code("summarise.py"),
    message:
        "Summarising all networks"
    shell:
        "python scripts/summarise.py {input.similarities} --metrics {input.metrics}"
        " --threads {threads} --out {output.csv} > {log} 2>&1"
