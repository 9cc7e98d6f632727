"""Dry runs without the seconds in which a process imports Snakemake: a server that has imported it forks for each.

A fork is as good as a new process: the server has read no Snakefile and no module of the workflow, and each child ends
with its dry run. Run as a program, this file is the server: a JSON line in (folder and options), one out.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import traceback


class Server:
    """Starts with the first dry run and ends with this process."""

    def __init__(self):
        self._process = None

    def snakemake(self, folder, options):
        """(exit status, all that was said) of `snakemake OPTIONS` in a folder."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            atexit.register(self._process.communicate)
        self._process.stdin.write(json.dumps({"folder": str(folder), "options": options}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["status"], answer["said"]


def serve():
    import docutils.core  # noqa: F401 (with the next ones, what Snakemake imports once it has a Snakefile)
    import jinja2  # noqa: F401
    import jsonschema  # noqa: F401
    import snakemake.cli
    import yte  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if child == 0:
                os._exit(_run(snakemake.cli.main, said, **asked))
            _, status = os.waitpid(child, 0)
            said.seek(0)
            answer = {"status": os.waitstatus_to_exitcode(status), "said": said.read().decode()}
        print(json.dumps(answer), flush=True)


def _run(main, said, folder, options):
    """What `python -m snakemake` does; the exit status."""
    os.dup2(said.fileno(), 1)
    os.dup2(said.fileno(), 2)
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv[:] = ["snakemake", *options]
    try:
        main(options)
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve()
