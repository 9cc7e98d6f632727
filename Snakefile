from snakemake.utils import min_version

min_version("9.27.1")


# A second configfile would be merged into the first, so the default is read only where the user gives none.
if not workflow.overwrite_configfiles:

    configfile: "config/demo.yaml"


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/dumps.smk"
include: "workflow/rules/cka.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/blocks.smk"
include: "workflow/rules/predictions.smk"
include: "workflow/rules/findings.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/explorer.smk"


# On a cluster these run where Snakemake does: seconds of work each, and the download needs the network. Figures 3 and A,
# and the comparison of all predictions, are work for a node.
localrules:
    all,
    download,
    B,
    explorer,
    findings,
    provenance,
    summarise,
    summarise_pairs,


rule all:
    default_target: True
    input:
        NETWORK_FILES,
        FIGURE_FILES,
        f"{RESULTS}/findings.csv",
        f"{RESULTS}/provenance.csv",
        f"{RESULTS}/explorer.html",
