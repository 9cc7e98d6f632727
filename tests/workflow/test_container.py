"""The container image: what can be tested of it without docker, and the image itself where docker runs."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import study
from tracked import tracked

CODE = "/opt/widedeep"


def lines_of(name):
    """The lines of a file at the top of the repository, without comments and empty ones."""
    lines = (study.ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def instructions():
    """list of the (keyword, words) of the Dockerfile."""
    joined = re.sub(r"\\\n", " ", "\n".join(lines_of("Dockerfile"))).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in joined]


def entry_point():
    """The command of the image, after what passes signals on."""
    words = json.loads(dict(instructions())["ENTRYPOINT"])
    return words[words.index("--") + 1 :]


def is_left_out(path):
    """Whether .dockerignore leaves a path out of the image."""
    parts = Path(path).parts
    for depth in range(1, len(parts) + 1):
        for pattern in lines_of(".dockerignore"):
            anywhere = pattern.removeprefix("**/")
            part = parts[depth - 1] if anywhere != pattern else "/".join(parts[:depth])
            if fnmatch.fnmatchcase(part, anywhere):
                return True
    return False


def test_the_image_gets_all_files_of_the_repository():
    paths = tracked()
    assert len(paths) > 300
    assert [path for path in paths if is_left_out(path)] == []
    assert not is_left_out(".git/HEAD")


def test_the_image_gets_nothing_that_git_ignores():
    lines = lines_of(".gitignore")
    ignored = [line.strip("/").replace("*", "1") for line in lines]
    ignored += [f"scripts/{path}" for path, line in zip(ignored, lines, strict=True) if not line.startswith("/")]
    assert len(ignored) > 15
    assert [path for path in ignored if not is_left_out(path)] == []


def test_an_unknown_user_without_a_home_runs_a_study_with_code_that_is_not_his(tmp_path):
    """The layout of the image without its walls."""
    code, work = tmp_path / "opt/widedeep", tmp_path / "work"
    for path in tracked():
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, code / path)
    work.mkdir()
    study.write_one_network(work / "one.yaml")
    subprocess.run(["chmod", "-R", "a-w", code], check=True)
    unknown = ["unshare", "--user", "--map-user=1234", "--map-group=1234"]
    if shutil.which("unshare") is None or subprocess.run([*unknown, "test", "!", "-w", code]).returncode:
        pytest.skip("no namespaces of users here")
    before = sorted(code.rglob("*"))
    program, script = entry_point()
    words = [*unknown, shutil.which(program, path=study.environment()["PATH"]), script.replace(CODE, str(code))]
    nameless = {name: value for name, value in study.environment().items() if name not in ("USER", "LOGNAME")}
    done = subprocess.run(
        [*words, "--configfile", "one.yaml"],
        cwd=work,
        capture_output=True,
        text=True,
        env={**nameless, "HOME": "/proc/nothing"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (work / "results/tiny/report.html").exists()
    assert sorted(code.rglob("*")) == before


@pytest.fixture(scope="module")
def image():
    """The name of the image, built with docker."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("docker does not run here")
    base = dict(instructions())["FROM"]
    known = ["docker", "image", "inspect", base]
    if subprocess.run(known, capture_output=True).returncode and subprocess.run(["docker", "pull", base]).returncode:
        pytest.skip(f"docker cannot fetch {base} here")
    name = "widedeep-tested"
    subprocess.run(["docker", "build", "--tag", name, study.ROOT], check=True)
    yield name
    subprocess.run(["docker", "rmi", name], check=True)


@pytest.mark.timeout(3600)
@pytest.mark.whole
def test_any_user_of_the_image_runs_a_study_in_a_mounted_folder(image, tmp_path):
    study.write_one_network(tmp_path / "one.yaml")
    tmp_path.chmod(0o777)
    user = ["--user", f"{os.getuid() or 1234}:{os.getgid() or 1234}"]
    words = ["docker", "run", "--rm", *user, "--volume", f"{tmp_path}:/work", image, "--configfile"]
    done = subprocess.run([*words, "one.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Finished." in done.stdout
    assert (tmp_path / "results/tiny/report.html").exists()
    shipped = subprocess.run([*words, f"{CODE}/config/demo.yaml", "-n"], capture_output=True, text=True)
    assert shipped.returncode == 0, shipped.stdout + shipped.stderr
