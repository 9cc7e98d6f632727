# Every heatmap figure is drawn by one program from a list of panels, so the configured figures share one rule's text.
for figure in PANELS:

    rule:
        name:
            figure
        input:
            similarities=heatmap_files(figure),
            metrics=files_of(networks_of(figure), "metrics.json"),
        output:
            pdf=f"{FIGURE}/{figure}.pdf",
            csv=f"{FIGURE}/{figure}.csv",
            png=report(
                f"{FIGURE}/{figure}.png",
                caption=f"../report/{figure}.rst",
                category=HEATMAPS[figure][0],
                labels=report_label(figure, HEATMAPS[figure][1]),
            ),
        log:
            f"{LOGS}/figures/{figure}.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            timing=f"{TIMINGS}/figures/{figure}.tsv",
            panels=heatmap_options(figure),
            colour_map=config["figures"]["colour_map"],
            code=code("plot_heatmaps.py"),
        message:
            "Drawing {output.png}"
        shell:
            "python scripts/plot_heatmaps.py {params.panels} --metrics {input.metrics}"
            " --colour-map {params.colour_map} --threads {threads} --timing {params.timing}"
            " --out {output.pdf} {output.png} {output.csv} > {log} 2>&1"


for figure in COMPONENT_FIGURES:

    rule:
        name:
            figure
        input:
            cka=files_of(COMPONENT_FIGURES[figure], "cka.h5"),
            components=files_of(COMPONENT_FIGURES[figure], "pca.h5"),
            metrics=files_of(COMPONENT_FIGURES[figure], "metrics.json"),
        output:
            pdf=f"{FIGURE}/{figure}.pdf",
            csv=f"{FIGURE}/{figure}.csv",
            png=report(
                f"{FIGURE}/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="First principal components",
                labels=report_label(figure, COMPONENT_TITLES[figure]),
            ),
        log:
            f"{LOGS}/figures/{figure}.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            timing=f"{TIMINGS}/figures/{figure}.tsv",
            colour_map=config["figures"]["colour_map"],
            order=labels(COMPONENT_FIGURES[figure]),
            code=code("plot_components.py"),
        message:
            "Drawing {output.png}"
        shell:
            "python scripts/plot_components.py --cka {input.cka} --components {input.components}"
            " --metrics {input.metrics} --colour-map {params.colour_map} --threads {threads} --timing {params.timing}"
            " --out {output.pdf} {output.png} {output.csv} > {log} 2>&1"


rule B:
    input:
        files_of(ALL, "metrics.json"),
    output:
        pdf=f"{FIGURE}/B.pdf",
        csv=f"{FIGURE}/B.csv",
        md=f"{FIGURE}/B.md",
        png=report(
            f"{FIGURE}/B.png",
            caption="../report/B.rst",
            category="Networks",
            labels=report_label("B", "accuracy by depth and width"),
        ),
    log:
        f"{LOGS}/figures/B.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        timing=f"{TIMINGS}/figures/B.tsv",
        colour_map=config["figures"]["colour_map"],
        metrics=in_braces(ALL, "metrics.json"),
        # Others published accuracies on whole images.
        published="" if IMAGE_SIZE else "--published",
        code=code("tabulate_accuracy.py"),
    message:
        "Drawing {output.png}"
    shell:
        "python scripts/tabulate_accuracy.py {params.metrics} {params.published} --colour-map {params.colour_map}"
        " --threads {threads} --timing {params.timing}"
        " --out {output.csv} {output.md} {output.pdf} {output.png} > {log} 2>&1"
