"""A job of a Slurm cluster that goes back to the queue while another job does its work."""

import os
import subprocess


def job_number():
    """Number of the Slurm job in which this process runs, as text; empty elsewhere."""
    return os.environ.get("SLURM_JOB_ID", "")


def queue_behind(other):
    """Send this Slurm job back to the queue until another one has ended, however it ends; says so.

    Slurm sends SIGTERM to a job that it takes back, and starts it again under its number. Where it takes none back, the
    caller goes on and waits.

    Args:
        other: number of the other job.
    """
    own = job_number()
    if not own or own == other:
        return
    print(f"Slurm job {other} does this work too: job {own} goes back to the queue until it has ended.", flush=True)
    # Slurm ends all processes of a job that it takes back; without the trap the second command would not be given.
    commands = f"trap '' TERM; scontrol requeue {own} && scontrol update JobId={own} Dependency=afterany:{other}"
    said = subprocess.run(["sh", "-c", commands], capture_output=True, text=True)
    if said.returncode:
        print(f"Slurm refuses ({said.stderr.strip()}): waiting here until it has ended.", flush=True)
