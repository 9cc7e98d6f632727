rule provenance:
    input:
        trainings=files_of(ALL, "provenance.json"),
        dumps=files_of(ALL, "dump_provenance.json"),
        metrics=files_of(ALL, "metrics.json"),
    output:
        csv=f"{RESULTS}/provenance.csv",
        html=report(
            f"{RESULTS}/provenance.html",
            caption="../report/provenance.rst",
            category="Provenance",
            labels=report_label("provenance", "code, packages, machine and time of every network"),
        ),
    log:
        f"{LOGS}/provenance.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        timing=f"{TIMINGS}/provenance.tsv",
        networks=in_braces(ALL, ""),
        code=code("tabulate_provenance.py"),
    message:
        "Tabulating where all networks come from"
    shell:
        "python scripts/tabulate_provenance.py {params.networks} --threads {threads} --timing {params.timing}"
        " --out {output.csv} {output.html} > {log} 2>&1"
