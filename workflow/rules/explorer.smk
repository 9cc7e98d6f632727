rule explorer:
    input:
        data=VERIFIED_DATA,
        cka=files_of(ALL, "cka.h5"),
        components=files_of(ALL, "pca.h5"),
        metrics=files_of(ALL, "metrics.json"),
        blocks=[file_of(*network, name) for network in PROBED for name in ("probes.csv", "deletion.csv")],
        pairs=PAIR_FILES,
        findings=f"{RESULTS}/findings.csv",
    output:
        f"{RESULTS}/explorer.html",
    log:
        f"{LOGS}/explorer.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        timing=f"{TIMINGS}/explorer.tsv",
        networks=in_braces(ALL, ""),
        pairs=explored_pairs(),
        family=family_option(),
        study=option("study", STUDY),
        code=code_of_explorer(),
    message:
        "Making the explorer"
    shell:
        "python scripts/make_explorer.py {params.networks} --data {input.data} {params.pairs}"
        " --findings {input.findings} {params.family} {params.study} --threads {threads} --timing {params.timing}"
        " --out {output} > {log} 2>&1"
