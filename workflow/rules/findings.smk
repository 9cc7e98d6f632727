rule summarise:
    input:
        cka=files_of(ALL, "cka.h5"),
        components=files_of(ALL, "pca.h5"),
        metrics=files_of(ALL, "metrics.json"),
    output:
        csv=report(
            f"{RESULTS}/summary.csv",
            caption="../report/summary.rst",
            category="Networks",
            labels=report_label("summary", "accuracy and block structure of every network"),
        ),
    log:
        f"{LOGS}/summarise.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        timing=f"{TIMINGS}/summarise.tsv",
        networks=in_braces(ALL, ""),
        code=code("summarise.py"),
    message:
        "Summarising all networks"
    shell:
        "python scripts/summarise.py {params.networks}"
        " --threads {threads} --timing {params.timing} --out {output.csv} > {log} 2>&1"


rule summarise_pairs:
    input:
        pairs=PAIR_FILES,
        components=files_of(PAIRED, "pca.h5"),
    output:
        csv=report(
            f"{RESULTS}/pairs.csv",
            caption="../report/pairs.rst",
            category="Similarity between networks",
            labels=report_label("pairs", "inside and outside the block"),
        ),
        configurations=report(
            f"{RESULTS}/pairs_of_configurations.csv",
            caption="../report/pairs_of_configurations.rst",
            category="Similarity between networks",
            labels=report_label("pairs of configurations", "means and spreads over seeds"),
        ),
    log:
        f"{LOGS}/summarise_pairs.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        timing=f"{TIMINGS}/summarise_pairs.tsv",
        order=PAIR_FILES,
        code=code("summarise_pairs.py"),
    message:
        "Summarising all pairs of networks"
    shell:
        "python scripts/summarise_pairs.py --pairs {input.pairs} --components {input.components}"
        " --threads {threads} --timing {params.timing} --out {output.csv} --configurations {output.configurations}"
        " > {log} 2>&1"


rule findings:
    input:
        **tables_of_findings(),
        networks=f"{RESULTS}/summary.csv",
        pairs=f"{RESULTS}/pairs.csv",
    output:
        csv=f"{RESULTS}/findings.csv",
        md=f"{RESULTS}/findings.md",
        html=report(
            f"{RESULTS}/findings.html",
            caption="../report/findings.rst",
            category="Findings",
            labels=report_label("findings", "which of the paper's claims this study reproduces"),
        ),
    log:
        f"{LOGS}/findings.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        timing=f"{TIMINGS}/findings.tsv",
        tables=" ".join(option(name, path) for name, path in tables_of_findings().items()),
        family=family_option(),
        code=code("decide_findings.py"),
    message:
        "Deciding the findings"
    shell:
        "python scripts/decide_findings.py {input.networks} {input.pairs} {params.tables} {params.family}"
        " --threads {threads} --timing {params.timing}"
        " --out {output.csv} {output.md} {output.html} > {log} 2>&1"
