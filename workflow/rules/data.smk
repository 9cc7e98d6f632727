def content_options():
    """What the images are."""
    section = STUDY.dataset
    given = [("dataset", section.name), ("folder", section.folder), ("image_size", section.image_size)]
    options = [option(name, value) for name, value in given if value is not None]
    return " ".join(options + ["--stream"] * section.stream)


def source_options():
    """Where the images come from, and of one's own, how many the study needs; the config of others is checked."""
    section = STUDY.dataset
    options = [option(key, value) for key in ("source", "archive") if (value := getattr(section, key)) is not None]
    options += [option("mirror", mirror) for mirror in section.mirrors]
    if not KNOWN_DATA:
        train, test = checks.needed_examples(STUDY)
        options += [option("least_train", train), option("least_test", test)]
    return " ".join(options)


def unverified(wildcards):
    """What decides what the images are where no checksum of the content does: code, and names and sizes of files.

    If the folder of images is gone or has a fault, as on another machine, what the data set's file says of it. Streamed
    images are too many to be looked at each time.
    """
    section = STUDY.dataset
    if KNOWN_DATA:
        # Of a known data set the whole images are verified, and then scaled down.
        return code("widedeep/data/loading.py") if section.image_size else ""
    if own_file := catalogue.own_file(section.name):
        return code("widedeep/data/folders.py", own_file)
    of_code = code("widedeep/data/folders.py")
    if section.stream:
        return of_code
    from widedeep.data import folders

    try:
        return f"{of_code} {folders.checksum(os.path.expanduser(section.folder))}"
    except (UserError, OSError):
        return f"{of_code} {described().listed}" if described() else of_code


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
        source=source_options(),
        timing=PLACES.timing("download"),
    params:
        content=content_options(),
        code=unverified,
    message:
        "Making {output} from verified images"
    shell:
        "python scripts/download.py {params.content} {resources.source} --timing {resources.timing}"
        " --out {output} > {log} 2>&1"
