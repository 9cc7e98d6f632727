"""What bash makes of a part of a command line."""

import subprocess


def words(arguments):
    """The words of a command line; given as a script, which may be longer than an argument."""
    said = subprocess.run(["bash", "-s"], input=f"printf '%s\\0' {arguments}\n", capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return said.stdout.split("\0")[:-1]
