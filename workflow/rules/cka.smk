rule compute_cka:
    input:
        f"{MODEL}/activations.h5",
    output:
        f"{MODEL}/cka.h5",
    log:
        f"{LOGS}/{{model}}/seed{{seed}}/compute_cka.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=cka_memory,
        runtime=cka_minutes,
    params:
        timing=f"{TIMINGS}/{{model}}/seed{{seed}}/compute_cka.tsv",
        code=code("compute_cka.py"),
    message:
        "CKA between all layers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python scripts/compute_cka.py {input} --threads {threads} --timing {params.timing} --out {output} > {log} 2>&1"


rule compute_pairs:
    input:
        first=first_dumps,
        second=second_dumps,
    output:
        f"{PAIRS}.h5",
    log:
        f"{LOGS}/pairs/{{model}}--{{model2}}/seed{{seed}}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=pairs_memory,
        runtime=pairs_minutes,
    params:
        timing=f"{TIMINGS}/pairs/{{model}}--{{model2}}/seed{{seed}}.tsv",
        second=second_option,
        code=code("compute_pairs.py"),
    message:
        "CKA between {wildcards.model} and {wildcards.model2}, larger seed {wildcards.seed}"
    shell:
        "python scripts/compute_pairs.py --first {input.first} {params.second}"
        " --threads {threads} --timing {params.timing} --out {output} > {log} 2>&1"


if CONVERGING:

    rule A:
        input:
            data=VERIFIED_DATA,
            model=files_of(CONVERGING, "model.safetensors"),
            metrics=files_of(CONVERGING, "metrics.json"),
        output:
            pdf=f"{FIGURE}/A.pdf",
            csv=f"{FIGURE}/A.csv",
            png=report(
                f"{FIGURE}/A.png",
                caption="../report/A.rst",
                category="Minibatch CKA",
                labels=report_label("A", "by number of minibatches and batch size"),
            ),
        log:
            f"{LOGS}/figures/A.log",
        conda:
            "../../environment.yml"
        threads: THREADS
        resources:
            mem_mb=convergence_memory,
            runtime=60,
            processes=processes(),
        params:
            timing=f"{TIMINGS}/figures/A.tsv",
            options=convergence_options(),
            colour_map=config["figures"]["colour_map"],
            code=code("converge_cka.py"),
        message:
            "Drawing {output.png}"
        shell:
            "python scripts/converge_cka.py {input.model} --data {input.data} --metrics {input.metrics}"
            " {params.options} --colour-map {params.colour_map} {resources.processes} --timing {params.timing}"
            " --out {output.pdf} {output.png} {output.csv} > {log} 2>&1"
