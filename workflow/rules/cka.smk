rule compute_cka:
    input:
        f"{MODEL}/activations.h5",
    output:
        f"{MODEL}/cka.h5",
    log:
        f"{LOGS}/{{model}}/seed{{seed}}/compute_cka.log",
    benchmark:
        f"{TIMINGS}/{{model}}/seed{{seed}}/compute_cka.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=cka_memory,
        runtime=60,
    params:
        code=code("compute_cka.py"),
    message:
        "CKA between all layers of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python scripts/compute_cka.py {input} --threads {threads} --out {output} > {log} 2>&1"


rule compute_pairs:
    input:
        first=first_dumps,
        second=second_dumps,
    output:
        f"{PAIRS}.h5",
    log:
        f"{LOGS}/pairs/{{model}}--{{model2}}/seed{{seed}}.log",
    benchmark:
        f"{TIMINGS}/pairs/{{model}}--{{model2}}/seed{{seed}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=pairs_memory,
        runtime=120,
    params:
        second=second_option,
        code=code("compute_pairs.py"),
    message:
        "CKA between {wildcards.model} and {wildcards.model2}, larger seed {wildcards.seed}"
    shell:
        "python scripts/compute_pairs.py --first {input.first} {params.second}"
        " --threads {threads} --out {output} > {log} 2>&1"
