if COMPARED_BY_EXAMPLE:

    rule fig6:
        input:
            data=VERIFIED_DATA,
            predictions=files_of(COMPARED_BY_EXAMPLE, "predictions.h5"),
            metrics=files_of(COMPARED_BY_EXAMPLE, "metrics.json"),
        output:
            pdf=f"{FIGURE}/fig6-examples.pdf",
            csv=f"{FIGURE}/fig6-examples.csv",
            png=report(
                f"{FIGURE}/fig6-examples.png",
                caption="../report/fig6-examples.rst",
                category="Predictions",
                labels=report_label("fig6-examples", "wide against deep, by example"),
            ),
            classes_pdf=f"{FIGURE}/fig6-classes.pdf",
            classes_csv=f"{FIGURE}/fig6-classes.csv",
            classes_png=report(
                f"{FIGURE}/fig6-classes.png",
                caption="../report/fig6-classes.rst",
                category="Predictions",
                labels=report_label("fig6-classes", "wide against deep, by class"),
            ),
            summary=f"{FIGURE}/fig6.csv",
        log:
            f"{LOGS}/figures/fig6.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            timing=f"{TIMINGS}/figures/fig6.tsv",
            colour_map=config["figures"]["colour_map"],
            code=code("compare_examples.py"),
        message:
            "Comparing wide and deep networks by example and by class"
        shell:
            "python scripts/compare_examples.py --predictions {input.predictions} --metrics {input.metrics}"
            " --data {input.data} --colour-map {params.colour_map} --threads {threads} --timing {params.timing}"
            " --examples {output.pdf} {output.png} {output.csv}"
            " --classes {output.classes_pdf} {output.classes_png} {output.classes_csv}"
            " --summary {output.summary} > {log} 2>&1"


if COMPARED_BY_AGREEMENT:

    rule G:
        input:
            predictions=files_of(COMPARED_BY_AGREEMENT, "predictions.h5"),
            metrics=files_of(COMPARED_BY_AGREEMENT, "metrics.json"),
        output:
            pdf=f"{FIGURE}/G.pdf",
            csv=f"{FIGURE}/G.csv",
            png=report(
                f"{FIGURE}/G.png",
                caption="../report/G.rst",
                category="Predictions",
                labels=report_label("G", "agreement of predictions"),
            ),
        log:
            f"{LOGS}/figures/G.log",
        conda:
            "../../environment.yml"
        threads: 1
        params:
            timing=f"{TIMINGS}/figures/G.tsv",
            colour_map=config["figures"]["colour_map"],
            order=labels(COMPARED_BY_AGREEMENT),
            code=code("compare_predictions.py"),
        message:
            "Drawing {output.png}"
        shell:
            "python scripts/compare_predictions.py --predictions {input.predictions} --metrics {input.metrics}"
            " --colour-map {params.colour_map} --threads {threads} --timing {params.timing}"
            " --out {output.pdf} {output.png} {output.csv} > {log} 2>&1"
