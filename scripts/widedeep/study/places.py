"""Where the files of a study are: every path below `results/{study}/` and `data/`, relative to the workflow's folder."""

from pathlib import Path

from widedeep import names


class Places:
    """The paths of one study.

    Args:
        study: its name.
        data: path of the file of its data set.

    Attributes:
        results, data: folder of the study, and the file of its data set.
    """

    def __init__(self, study, data):
        self.results, self.data = f"results/{study}", data

    def of_network(self, network, name):
        """A file of a network.

        Args:
            network: names.Network, or its label, as `{model}/seed{seed}` for all of them.
            name: of the file, as `cka.h5`.
        """
        return f"{self.results}/models/{network}/{name}"

    def of_networks(self, networks, name):
        """One file of each of several networks."""
        return [self.of_network(network, name) for network in networks]

    def pairs(self, first, second, seed):
        """The file of all pairs of two configurations whose larger seed is `seed`."""
        return f"{self.results}/{pairs_name(first, second, seed)}.h5"

    def figure(self, name):
        """A file of a figure, as `fig1.pdf`."""
        return f"{self.results}/figures/{name}"

    def table(self, name):
        """A table or page of the whole study, as `summary.csv`."""
        return f"{self.results}/{name}"

    def log(self, job, suffix="log"):
        """The log of a job; logs and timings mirror each other."""
        return f"{self.results}/logs/{job}.{suffix}"

    @property
    def events(self):
        """The file of events of its runs (runtime/events.py)."""
        return f"{self.results}/logs/events.jsonl"

    def timing(self, job):
        """The file in which a job notes what it took."""
        return f"{self.results}/timings/{job}.tsv"


def data_path(dataset):
    """Where the workflow makes a data set: `data/flowers-32px/dataset.h5`.

    Args:
        dataset: section of a config.
    """
    suffix = f"-{dataset.image_size}px" if dataset.image_size else ""
    return str(Path("data", dataset.name + suffix, "dataset.h5"))


def pairs_name(first, second, seed):
    """What the file of pairs of two configurations, its log and its timing are called."""
    return f"pairs/{first}--{second}/seed{seed}"


# The label of any network, for rules.
ANY = names.label("{model}", "{seed}")
