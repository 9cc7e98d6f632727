"""Paths of a study's files, below `results/` and `data/` in the working directory, and of the workflow's own."""

from pathlib import Path

from widedeep import names

# The folder of the workflow: Snakefile, scripts, shipped configs and profiles.
WORKFLOW = Path(__file__).resolve().parents[3]
DEMO, PROFILE = "config/demo.yaml", "workflow/profiles/default"
# Files beside a network's outputs while a job runs: the report of a training, and the checkpoint by the rule.
PROGRESS = "progress.json"
CHECKPOINTS = {"train": "checkpoint.pt", "probe_residual_blocks": "probes.checkpoint.pt"}


def shipped(path):
    """Return `path` if it exists, else the path of the workflow's own file or folder of that name, if it has one."""
    own = WORKFLOW / path
    return str(path if Path(path).exists() or not own.exists() else own)


def from_here(path):
    """Return an absolute path as text, relative to the working directory if it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def snakemake_options(configfile, profile):
    """Options of Snakemake for a study, as a list of words; --snakefile only outside the workflow's folder."""
    snakefile = from_here(WORKFLOW / "Snakefile")
    elsewhere = [] if snakefile == "Snakefile" else ["--snakefile", snakefile]
    return [*elsewhere, "--configfile", shipped(configfile), "--profile", shipped(profile)]


class Places:
    """The paths of one study.

    Args:
        study: its name.
        data: path of the file of its data set.

    Attributes:
        results: folder of the study's results.
        data: file of its data set.
    """

    def __init__(self, study, data):
        self.results, self.data = f"results/{study}", data

    def of_network(self, network, name):
        """Path of a file of a network.

        Args:
            network: names.Network, or a label, such as ANY.
            name: of the file, as `cka.h5`.
        """
        return f"{self.results}/models/{network}/{name}"

    def of_networks(self, networks, name):
        """list of the paths of one file of each network."""
        return [self.of_network(network, name) for network in networks]

    def measure(self, network, name):
        """Path of the file of a further measure of similarity within a network.

        Args:
            network: names.Network, or a label, such as ANY.
            name: of the measure.
        """
        return f"{self.results}/models/{measure_name(network, name)}.h5"

    def pairs(self, first, second, seed):
        """Path of the file with all pairs of two configurations whose larger seed is `seed`."""
        return f"{self.results}/{pairs_name(first, second, seed)}.h5"

    def figure(self, name):
        """Path of a file of a figure, as `fig1.pdf`."""
        return f"{self.results}/figures/{name}"

    def table(self, name):
        """Path of a table or page of the whole study, as `summary.csv`."""
        return f"{self.results}/{name}"

    def log(self, job, suffix="log"):
        """Path of a job's log; logs and timings mirror the result paths.

        Args:
            job: name of the job, as `figures/fig1`.
            suffix: of the file.
        """
        return f"{self.results}/logs/{job}.{suffix}"

    @property
    def events(self):
        """Path of the file of events of its runs (runtime/events.py)."""
        return f"{self.results}/logs/events.jsonl"

    def timing(self, job):
        """Path of the file in which a job records its time and memory."""
        return f"{self.results}/timings/{job}.tsv"


def data_path(dataset):
    """Path of the file of a data set: `data/flowers-32px/dataset.h5`.

    Args:
        dataset: config.Dataset.
    """
    suffix = f"-{dataset.image_size}px" if dataset.image_size else ""
    return str(Path("data", dataset.name + suffix, "dataset.h5"))


def pairs_name(first, second, seed):
    """Name of a job of pairs, which its file, log and timing share."""
    return f"pairs/{first}--{second}/seed{seed}"


def measure_name(network, measure):
    """Name of a job of a further measure within a network, which its file, log and timing share."""
    return f"{network}/measures/{measure}"


# The label of a network with Snakemake's wildcards in place of its names.
ANY = names.label("{model}", "{seed}")
