rule dump_activations:
    input:
        data=VERIFIED_DATA,
        model=f"{MODEL}/model.safetensors",
    output:
        dump=branch(
            config["dumps"]["keep"],
            then=f"{MODEL}/activations.h5",
            otherwise=temp(f"{MODEL}/activations.h5"),
        ),
        components=f"{MODEL}/pca.h5",
        predictions=f"{MODEL}/predictions.h5",
        provenance=f"{MODEL}/dump_provenance.json",
    log:
        f"{LOGS}/{{model}}/seed{{seed}}/dump_activations.log",
    conda:
        "../../environment.yml"
    threads: THREADS
    resources:
        mem_mb=dump_memory,
        runtime=dump_minutes,
        processes=processes(),
    params:
        timing=f"{TIMINGS}/{{model}}/seed{{seed}}/dump_activations.tsv",
        options=dump_options(),
        code=code_with_family("dump_activations.py"),
    message:
        "Dumping the activations of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "python scripts/dump_activations.py {input.model} --data {input.data} {params.options}"
        " {resources.processes} --timing {params.timing} --out {output.dump} --components {output.components}"
        " --predictions {output.predictions} --provenance {output.provenance} > {log} 2>&1"
