def network_options(wildcards):
    """Which network scripts/train.py trains."""
    (network,) = job_of(wildcards, "train").networks
    of = network.configuration
    # float: a width of 1 and of 1.0 is the same network, and must not train it twice.
    options = {"family": of.family, "depth": of.depth, "width": float(of.width), "fraction": float(of.fraction)}
    return " ".join(option(name, value) for name, value in {**options, "seed": network.seed}.items())


def training_priority(wildcards):
    """Trainings come before all else that could run, in the grid's order, first seeds of all configurations first."""
    (network,) = job_of(wildcards, "train").networks
    return len(STUDY.networks) - TRAINING_RANKS[network]


def launcher():
    """The start of the command of a training: python, or torchrun with a process for each GPU."""
    gpus = STUDY.training.gpus
    return "python" if gpus == 1 else f"python -m torch.distributed.run --standalone --nproc-per-node {gpus}"


TRAINING_RANKS = {
    network: rank
    for rank, network in enumerate(
        sorted(STUDY.networks, key=lambda network: STUDY.configurations[network.configuration].index(network.seed))
    )
}


rule train:
    input:
        **inputs("train"),
    output:
        **outputs("train"),
    # Errors of this attempt; the rest goes to a parameter, for Snakemake deletes the `log:` of an attempt when it tries
    # again, and train.log shall tell of all of them.
    log:
        PLACES.log(f"{ANY}/train", "errors.log"),
    priority: training_priority
    conda:
        "../../environment.yml"
    threads: TRAINING_THREADS
    resources:
        mem_mb=memory("train"),
        runtime=minutes("train"),
        checkpoint_minutes=STUDY.training.checkpoint_minutes,
        # A resource: on how many devices it ran must not train a network anew.
        launcher=launcher(),
        processes=processes(STUDY.training.gpus),
    params:
        timing=PLACES.timing(f"{ANY}/train"),
        folder=subpath(output.model, parent=True),
        network=network_options,
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
