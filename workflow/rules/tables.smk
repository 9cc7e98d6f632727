rule summarise:
    input:
        **inputs("summarise"),
    output:
        csv=report(
            JOB["summarise"].outputs["csv"],
            caption="../report/summary.rst",
            category="Networks",
            labels=report_label("summary", "accuracy and block structure of every network"),
        ),
    log:
        JOB["summarise"].log,
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        program=program("summarise.py"),
        mem_mb=memory("summarise"),
    params:
        timing=JOB["summarise"].timing,
        networks=verbatim(JOB["summarise"].arguments),
        code=code("summarise.py"),
    message:
        "Summarising all networks"
    shell:
        "{resources.program} {params.networks}"
        " --threads {threads} --timing {params.timing} --out {output.csv} > {log} 2>&1"


rule summarise_pairs:
    input:
        **inputs("summarise_pairs"),
    output:
        csv=report(
            JOB["summarise_pairs"].outputs["csv"],
            caption="../report/pairs.rst",
            category="Similarity between networks",
            labels=report_label("pairs", "inside and outside the block structure"),
        ),
        configurations=report(
            JOB["summarise_pairs"].outputs["configurations"],
            caption="../report/pairs_of_configurations.rst",
            category="Similarity between networks",
            labels=report_label("pairs of configurations", "means and intervals over seeds"),
        ),
    log:
        JOB["summarise_pairs"].log,
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        program=program("summarise_pairs.py"),
        mem_mb=memory("summarise_pairs"),
    params:
        timing=JOB["summarise_pairs"].timing,
        pairs=verbatim(JOB["summarise_pairs"].arguments),
        code=code("summarise_pairs.py"),
    message:
        "Summarising all pairs of networks"
    shell:
        "{resources.program} {params.pairs}"
        " --threads {threads} --timing {params.timing} --out {output.csv} --configurations {output.configurations}"
        " > {log} 2>&1"


rule findings:
    input:
        **inputs("findings"),
    output:
        csv=JOB["findings"].outputs["csv"],
        md=JOB["findings"].outputs["md"],
        html=report(
            JOB["findings"].outputs["html"],
            caption="../report/findings.rst",
            category="Findings",
            labels=report_label("findings", "which of the paper's claims this study reproduces"),
        ),
    log:
        JOB["findings"].log,
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        program=program("decide_findings.py"),
        mem_mb=memory("findings"),
    params:
        timing=JOB["findings"].timing,
        tables=JOB["findings"].arguments,
        code=code("decide_findings.py"),
    message:
        "Deciding the findings"
    shell:
        "{resources.program} {input.networks} {input.pairs} {params.tables}"
        " --threads {threads} --timing {params.timing}"
        " --out {output.csv} {output.md} {output.html} > {log} 2>&1"


rule provenance:
    input:
        **inputs("provenance"),
    output:
        csv=JOB["provenance"].outputs["csv"],
        html=report(
            JOB["provenance"].outputs["html"],
            caption="../report/provenance.rst",
            category="Provenance",
            labels=report_label("provenance", "code, packages, machine and time of every network"),
        ),
    log:
        JOB["provenance"].log,
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        program=program("tabulate_provenance.py"),
        mem_mb=memory("provenance"),
    params:
        timing=JOB["provenance"].timing,
        networks=verbatim(JOB["provenance"].arguments),
        code=code("tabulate_provenance.py"),
    message:
        "Tabulating where all networks come from"
    shell:
        "{resources.program} {params.networks} --threads {threads} --timing {params.timing}"
        " --out {output.csv} {output.html} > {log} 2>&1"
