rule probe_residual_blocks:
    input:
        **inputs("probe_residual_blocks"),
    output:
        **outputs("probe_residual_blocks"),
    log:
        PLACES.log(f"{ANY}/probe_residual_blocks"),
    conda:
        "../../environment.yml"
    threads: THREADS
    resources:
        program=program("probe_residual_blocks.py"),
        mem_mb=memory("probe_residual_blocks"),
        runtime=minutes("probe_residual_blocks"),
        processes=processes(),
        checkpoint_minutes=STUDY.training.checkpoint_minutes,
    params:
        timing=PLACES.timing(f"{ANY}/probe_residual_blocks"),
        # Linear probes see images as the network did.
        recipe=f"{words(STUDY.probes)} {option('flip', STUDY.training.flip)}",
        code=code_with_family("probe_residual_blocks.py"),
    message:
        "Linear probes and deleted blocks of {wildcards.model}, seed {wildcards.seed}"
    # exec: see the rule train.
    shell:
        "exec {resources.program} {input.model} --data {input.data} {params.recipe}"
        " --checkpoint-minutes {resources.checkpoint_minutes} {resources.processes} --timing {params.timing}"
        " --probes {output.probes} --deletion {output.deletion} --provenance {output.provenance} > {log} 2>&1"
