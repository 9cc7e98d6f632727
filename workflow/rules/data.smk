rule download:
    output:
        **outputs("download"),
    log:
        PLACES.log("download"),
    conda:
        "../../environment.yml"
    threads: 1
    # What the images are decides whether the file is made again; where they come from, and the program that fetches
    # them, do not: the content is verified, and a change of mirror, or another study, must not retrain a study. A
    # resource, unlike a parameter, may change without a rerun.
    resources:
        source=commands.source_options(STUDY),
        timing=PLACES.timing("download"),
    params:
        content=commands.content_options(STUDY),
        code=unverified,
    message:
        "Making {output} from verified images"
    shell:
        "python scripts/download.py {params.content} {resources.source} --timing {resources.timing}"
        " --out {output} > {log} 2>&1"
