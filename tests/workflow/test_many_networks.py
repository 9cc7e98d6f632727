"""Linux refuses a command above 128 KiB, which Snakemake's is, with the names of all networks in it."""

import re

import study
import yaml

NETWORKS = 300
CONFIG = {
    "study": "many",
    "dataset": {"name": "digits"},
    "grid": [{"depths": [8], "widths": [1], "fractions": [0.5, 1], "seeds": list(range(1, NETWORKS // 2 + 1))}],
    "training": {"epochs": 1, "flip": False},
    "dumps": {},
    "figures": {},
}


def test_no_command_names_every_network(tmp_path):
    study.Study.new(tmp_path)
    (tmp_path / study.CONFIG).write_text(yaml.safe_dump(CONFIG))
    targets = [f"results/many/{name}" for name in ("summary.csv", "provenance.csv", "figures/B.csv", "explorer.html")]
    status, said = study.SERVER.snakemake(tmp_path, ["-n", "-p", *targets, "--configfile", study.CONFIG])
    assert status == 0, said[-2000:]
    commands = {words.split()[1]: words for words in re.findall(r"^Shell command: (.*)$", said, re.MULTILINE)}
    assert {f"scripts/{name}.py" for name in ("summarise", "tabulate_provenance", "tabulate_accuracy")} <= {*commands}
    # Room for 10,000 networks.
    assert max(map(len, commands.values())) < 13 * NETWORKS
