rule train:
    input:
        data=VERIFIED_DATA,
    output:
        model=f"{MODEL}/model.safetensors",
        history=f"{MODEL}/history.csv",
        metrics=f"{MODEL}/metrics.json",
        provenance=f"{MODEL}/provenance.json",
    # Errors of this attempt; the rest goes to a parameter, for Snakemake deletes the `log:` of an attempt when it tries
    # again, and train.log shall tell of all of them.
    log:
        f"{LOGS}/{{model}}/seed{{seed}}/train.errors.log",
    priority: training_priority
    conda:
        "../../environment.yml"
    threads: TRAINING_THREADS
    resources:
        mem_mb=training_memory,
        runtime=training_minutes,
        checkpoint_minutes=config["training"]["checkpoint_minutes"],
        # A resource: on how many devices it ran must not train a network anew.
        launcher=launcher(),
        processes=processes(config["training"]["gpus"]),
    params:
        timing=f"{TIMINGS}/{{model}}/seed{{seed}}/train.tsv",
        folder=subpath(output.model, parent=True),
        network=network_options,
        recipe=recipe_options(),
        code=code_with_family("train.py"),
        story=f"{LOGS}/{{model}}/seed{{seed}}/train.log",
    message:
        "Training {wildcards.model}, seed {wildcards.seed}"
    # exec: so that a signal reaches the training itself, which saves a checkpoint, and not the shell above it.
    shell:
        "exec {resources.launcher} scripts/train.py --data {input.data} {params.network} {params.recipe}"
        " --checkpoint-minutes {resources.checkpoint_minutes} --progress {params.folder}/progress.json"
        " {resources.processes} --timing {params.timing} --out {params.folder} >> {params.story} 2> {log}"
