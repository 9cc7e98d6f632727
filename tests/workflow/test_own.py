"""A network family and a data set of one's own: one file each, then a study of them."""

import re

import pandas as pd
import pytest
import study
import yaml
from test_own_file import BARS

# As the README shows it.
FAMILY = re.search(r"```python\n(def build\(.*?)```", (study.ROOT / "README.md").read_text(), re.DOTALL)[1]
CONFIG = {
    "study": "mine",
    "dataset": {"name": "bars"},
    "grid": [{"family": "mlp", "depths": [2, 4], "widths": [1], "seeds": [1, 2]}],
    "training": {"epochs": 3, "batch_size": 20, "learning_rate": 0.05, "flip": False},
    "dumps": {"batch_size": 50, "passes": 1},
    "figures": {
        "fig1": {
            "family": "mlp",
            "depth_row": {"depths": [2, 4], "width": 1},
            "width_row": {"depth": 2, "widths": [1]},
            "seed": 1,
        },
        "fig3": {"models": [{"family": "mlp", "depth": 4, "width": 1}], "seed": 1},
        "fig5": {"models": [{"family": "mlp", "depth": 4, "width": 1}]},
    },
}


@pytest.mark.whole
def test_a_family_and_a_data_set_of_one_file_each_run_to_the_report(tmp_path):
    made = study.Study.new(tmp_path)
    (tmp_path / "scripts/datasets").mkdir()
    (tmp_path / "scripts/families/mlp.py").write_text(FAMILY)
    (tmp_path / "scripts/datasets/bars.py").write_text(BARS)
    (tmp_path / study.CONFIG).write_text(yaml.safe_dump(CONFIG))
    assert "Finished." in made.run_study().stdout
    results = tmp_path / "results/mine"
    summary = pd.read_csv(results / "summary.csv")
    assert summary.layers.tolist() == [3, 3, 7, 7]
    assert summary.test_accuracy.min() > 0.8
    assert (results / "figures/fig1.png").exists()
    assert made.jobs_of_dry_run() == {}
    made.edit("scripts/families/mlp.py", "32 * width)))", "48 * width)))")
    assert made.jobs_of_dry_run()["train"] == 4
    made.edit("scripts/families/mlp.py", "48 * width)))", "32 * width)))")
    made.edit("scripts/datasets/bars.py", "default_rng(0)", "default_rng(1)")
    assert made.jobs_of_dry_run()["download"] == 1
