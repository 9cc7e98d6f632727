rule train:
    input:
        **inputs("train"),
    output:
        **outputs("train"),
    # Only the errors of this attempt, since Snakemake deletes this file before another one. The rest is appended to
    # train.log, which keeps all attempts.
    log:
        PLACES.log(f"{ANY}/train", "errors.log"),
    priority: lambda wildcards: PRIORITIES[network_of(wildcards)]
    conda:
        "../../environment.yml"
    threads: TRAINING_THREADS
    resources:
        mem_mb=memory("train"),
        runtime=minutes("train"),
        checkpoint_minutes=STUDY.training.checkpoint_minutes,
        # A resource and no parameter, since a changed resource reruns nothing: another number of devices must not.
        program=program("train.py", commands.launcher(STUDY.training.gpus)),
        processes=processes(STUDY.training.gpus),
        # For the same reason: one more seed must not train the others again.
        beside=lambda wildcards: commands.beside_options(STUDY, network_of(wildcards)),
        # What a job does while another one trains its network: profiles of clusters say so.
        waiting="",
    params:
        timing=PLACES.timing(f"{ANY}/train"),
        folder=subpath(output.model, parent=True),
        progress=PLACES.of_network(ANY, places.PROGRESS),
        network=lambda wildcards: commands.network_options(network_of(wildcards)),
        recipe=words(STUDY.training.recipe),
        code=code_with_family("train.py"),
        log_of_all_attempts=PLACES.log(f"{ANY}/train"),
    message:
        "Training {wildcards.model}, seed {wildcards.seed}"
    # exec: so that a signal reaches the training itself, which saves a checkpoint, and not the shell above it.
    shell:
        "exec {resources.program} --data {input.data} {params.network} {params.recipe}"
        " --checkpoint-minutes {resources.checkpoint_minutes} --progress {params.progress}"
        " {resources.processes} {resources.beside} {resources.waiting} --timing {params.timing} --out {params.folder} >> {params.log_of_all_attempts} 2> {log}"
