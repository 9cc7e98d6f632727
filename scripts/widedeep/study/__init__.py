"""A study: its config, the networks that each figure shows, and all jobs that make it.

    config, sections    the config as a pydantic model: type, bounds, default and description of every key
    checks              reads a config and checks it as a whole
    places              paths of all files of a study
    drawings            the jobs that draw figures
    jobs                all jobs, with what each reads and writes
    commands            options of command lines that follow from a study
    subset              the study of some of the networks of a study
    fingerprint         the code of a stage as a short text, which tells Snakemake when code has changed
    reference           JSON Schema and reference page of the config

The paper's grids (section 3, its figures and appendices) are configs in `config/`. Imports `figures` and the packages
before it. Nothing here imports torch, since every start of Snakemake reads a config.
"""
