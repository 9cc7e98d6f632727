"""Options of the stages' command lines that follow from a study: the data set, a network, the launcher."""

from widedeep.data import catalogue
from widedeep.runtime.options import option
from widedeep.study import checks
from widedeep.study.jobs import arguments_of


def content_options(study):
    """Options of scripts/download.py that say which images the study needs."""
    section = study.dataset
    given = {"dataset": section.name, "folder": section.folder, "image_size": section.image_size}
    options = [option(name, value) for name, value in given.items() if value is not None]
    return " ".join(options + ["--stream"] * section.stream)


def source_options(study):
    """Options of scripts/download.py that say where the images come from.

    For images of the user's own also how many the study needs; a known data set's are counted when the config is read.
    """
    section = study.dataset
    given = {"source": section.source, "archive": section.archive}
    options = [option(name, value) for name, value in given.items() if value is not None]
    options += [option("mirror", mirror) for mirror in section.mirrors]
    if section.name not in catalogue.WITH_SOURCES:
        train, test = checks.needed_examples(study)
        options += [option("least_train", train), option("least_test", test)]
    return " ".join(options)


def network_options(network):
    """Options of scripts/train.py that say which names.Network to train."""
    of = network.configuration
    # float: a width of 1 and of 1.0 is the same network, and must not train it twice.
    given = {"family": of.family, "depth": of.depth, "width": float(of.width), "fraction": float(of.fraction)}
    return " ".join(option(name, value) for name, value in {**given, "seed": network.seed}.items())


def beside_options(study, network):
    """Options of scripts/train.py that name the folders of the other seeds of a names.Network."""
    others = [one for one in study.all_seeds([network.configuration]) if one != network]
    if not others or study.training.at_once == 1:
        return ""
    folders = study.places.of_networks(others, "")
    return " ".join(arguments_of({"beside": folders, "at_once": study.training.at_once}))


def launcher(gpus):
    """Start of a training's command: python, or torchrun with a process for each of several GPUs."""
    return "python" if gpus == 1 else f"python -m torch.distributed.run --standalone --nproc-per-node {gpus}"


def training_priorities(study):
    """Priority of each network's training, by names.Network: the first seeds of all configurations first."""

    def rank(network):
        return study.configurations[network.configuration].index(network.seed)

    return {network: len(study.networks) - index for index, network in enumerate(sorted(study.networks, key=rank))}
