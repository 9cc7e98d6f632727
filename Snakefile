from snakemake.utils import min_version

min_version("9.27.1")


# A second configfile would be merged into the first, so the default is read only where the user gives none.
if not workflow.overwrite_configfiles:

    configfile: workflow.source_path("config/demo.yaml")


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/dumps.smk"
include: "workflow/rules/cka.smk"
include: "workflow/rules/residual_blocks.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/explorer.smk"


# On a cluster these run where Snakemake does: seconds of work each, and the download needs the network, which compute
# nodes often have not. Drawings of many networks are work for a node.
localrules:
    all,
    accuracy_table,
    download,
    explorer,
    findings,
    provenance,
    summarise,
    summarise_pairs,


# After each look at the waiting jobs Snakemake plans the next one, a second later, to keep its limit of 100 started jobs a
# second; each job that ends begins such a chain of its own, so that n jobs later it looks n times a second at all of them.
# No study starts that many jobs; a limit that the user gives stays.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and limit.max_jobs == 100 and limit.timespan == 1:
        workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        jobs.targets_of(JOBS),
