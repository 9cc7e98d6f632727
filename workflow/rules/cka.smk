rule compute_cka:
    input:
        **inputs("compute_cka"),
    output:
        **outputs("compute_cka"),
    log:
        PLACES.log(f"{ANY}/compute_cka"),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_cka"),
        runtime=minutes("compute_cka"),
    params:
        timing=PLACES.timing(f"{ANY}/compute_cka"),
        code=code("compute_cka.py"),
    message:
        "CKA between all layers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python scripts/compute_cka.py {input.dump} --threads {threads} --timing {params.timing}"
        " --out {output.cka} > {log} 2>&1"


rule compute_pairs:
    input:
        unpack(lambda wildcards: job_of(wildcards, "compute_pairs").inputs),
    output:
        PLACES.pairs("{model}", "{model2}", "{seed}"),
    log:
        PLACES.log(PAIRS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=memory("compute_pairs"),
        runtime=minutes("compute_pairs"),
    params:
        timing=PLACES.timing(PAIRS),
        dumps=lambda wildcards: job_of(wildcards, "compute_pairs").arguments,
        code=code("compute_pairs.py"),
    message:
        "CKA between {wildcards.model} and {wildcards.model2}, larger seed {wildcards.seed}"
    shell:
        "python scripts/compute_pairs.py {params.dumps} --threads {threads} --timing {params.timing} --out {output}"
        " > {log} 2>&1"
