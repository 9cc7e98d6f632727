"""Processor seconds that each script takes to start: with --help, and with all its imports.

For the second number, Python executes the import statements of the script, those inside functions too, and nothing
else. The scripts take turns and the median of several rounds counts, so that other load on the machine affects all
alike.

Example (from the folder of the workflow):
  python benchmarks/startup.py --rounds 5
"""

import argparse
import ast
import os
import statistics
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", help="names, as train (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    names = args.scripts or sorted(path.stem for path in SCRIPTS.glob("*.py"))
    commands = {("python alone", ""): ["-c", ""]}
    for name in names:
        commands[name, "--help"] = [SCRIPTS / f"{name}.py", "--help"]
        commands[name, "imports"] = ["-c", imports_of(SCRIPTS / f"{name}.py")]
    measured = {key: [] for key in commands}
    for _ in range(args.rounds):
        for key, words in commands.items():
            measured[key].append(processor_seconds(words))
    median = {key: statistics.median(values) for key, values in measured.items()}
    print(f"{'processor seconds':<24}{'--help':>10}{'imports':>10}")
    print(f"{'python alone':<24}{median['python alone', '']:>10.2f}")
    for name in names:
        print(f"{name:<24}{median[name, '--help']:>10.2f}{median[name, 'imports']:>10.2f}")


def imports_of(path):
    """Source of a program with all import statements of a script, in their order."""
    statements = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    statements.sort(key=lambda node: node.lineno)
    return "\n".join(map(ast.unparse, statements))


def processor_seconds(words):
    """Processor seconds of one run of Python with these words."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, words))}: failed")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
