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
        program=program("compute_cka.py"),
        mem_mb=memory("compute_cka"),
        runtime=minutes("compute_cka"),
    params:
        timing=PLACES.timing(f"{ANY}/compute_cka"),
        code=code("compute_cka.py"),
    message:
        "CKA between all layers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "{resources.program} {input.dump} --threads {threads} --timing {params.timing}"
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
        program=program("compute_pairs.py"),
        mem_mb=memory("compute_pairs"),
        runtime=minutes("compute_pairs"),
    params:
        timing=PLACES.timing(PAIRS),
        dumps=lambda wildcards: job_of(wildcards, "compute_pairs").arguments,
        code=code("compute_pairs.py"),
    message:
        "CKA between {wildcards.model} and {wildcards.model2}, larger seed {wildcards.seed}"
    shell:
        "{resources.program} {params.dumps} --threads {threads} --timing {params.timing} --out {output} > {log} 2>&1"


rule compute_measure:
    input:
        dump=PLACES.of_network(ANY, "activations.h5"),
    output:
        similarity=PLACES.measure(ANY, "{measure}"),
    log:
        PLACES.log(MEASURES),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        program=program("compute_measure.py"),
        mem_mb=memory("compute_measure"),
        runtime=minutes("compute_measure"),
    params:
        timing=PLACES.timing(MEASURES),
        code=code_with_measure("compute_measure.py"),
    message:
        "Measure {wildcards.measure} between all layers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "{resources.program} {input.dump} --measure {wildcards.measure} --threads {threads}"
        " --timing {params.timing} --out {output.similarity} > {log} 2>&1"
