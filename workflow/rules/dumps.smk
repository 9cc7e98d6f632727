rule dump_activations:
    input:
        **inputs("dump_activations"),
    output:
        **outputs("dump_activations")
        | ({} if STUDY.dumps.keep else {"dump": temp(outputs("dump_activations")["dump"])}),
    log:
        PLACES.log(f"{ANY}/dump_activations"),
    conda:
        "../../environment.yml"
    threads: THREADS
    resources:
        program=program("dump_activations.py"),
        mem_mb=memory("dump_activations"),
        runtime=minutes("dump_activations"),
        processes=processes(),
    params:
        timing=PLACES.timing(f"{ANY}/dump_activations"),
        options=words(STUDY.dumps, without=["keep"]),
        code=code_with_family("dump_activations.py"),
    message:
        "Dumping the activations of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "{resources.program} {input.model} --data {input.data} {params.options}"
        " {resources.processes} --timing {params.timing} --out {output.dump} --components {output.components}"
        " --predictions {output.predictions} --provenance {output.provenance} > {log} 2>&1"
