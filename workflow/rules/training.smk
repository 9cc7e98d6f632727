rule train:
    input:
        **inputs("train"),
    output:
        **outputs("train"),
    # Errors of this attempt; the rest goes to a parameter, for Snakemake deletes the `log:` of an attempt when it tries
    # again, and train.log shall tell of all of them.
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
        # A resource: on how many devices it ran must not train a network anew.
        launcher=commands.launcher(STUDY.training.gpus),
        processes=processes(STUDY.training.gpus),
    params:
        timing=PLACES.timing(f"{ANY}/train"),
        folder=subpath(output.model, parent=True),
        network=lambda wildcards: commands.network_options(network_of(wildcards)),
        recipe=words(STUDY.training.recipe),
        code=code_with_family("train.py"),
        story=PLACES.log(f"{ANY}/train"),
    message:
        "Training {wildcards.model}, seed {wildcards.seed}"
    # exec: so that a signal reaches the training itself, which saves a checkpoint, and not the shell above it.
    shell:
        "exec {resources.launcher} scripts/train.py --data {input.data} {params.network} {params.recipe}"
        " --checkpoint-minutes {resources.checkpoint_minutes} --progress {params.folder}/progress.json"
        " {resources.processes} --timing {params.timing} --out {params.folder} >> {params.story} 2> {log}"
