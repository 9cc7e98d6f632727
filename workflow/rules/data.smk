rule download:
    output:
        **outputs("download"),
    log:
        PLACES.log("download"),
    conda:
        "../../environment.yml"
    threads: 1
    # Only the content decides a rerun, so it is a parameter. The source is a resource, which may change without a rerun:
    # the content is verified, and another mirror, or another study, must not train a study again.
    resources:
        program=program("download.py"),
        source=commands.source_options(STUDY),
        timing=PLACES.timing("download"),
    params:
        content=commands.content_options(STUDY),
        code=data_fingerprint,
    message:
        "Making {output} from verified images"
    shell:
        "{resources.program} {params.content} {resources.source} --timing {resources.timing}"
        " --out {output} > {log} 2>&1"
