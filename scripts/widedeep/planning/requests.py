"""Memory and time that a job requests of a cluster, from its costs and the number of the attempt.

Estimates err upwards. A job that still exceeds a limit requests more in its next attempt. On one machine, whose memory
all jobs share, the estimates themselves count.
"""

import re

# Operations a second: of a slow core, of a slow GPU, and of a slow core in products of Gram matrices (float64).
CORE, GPU, PRODUCTS = 20e9, 5e12, 5e9
# Minutes of a day, the longest limit of many clusters. Trainings and probes that reach it go on in the next attempt.
LONGEST = 24 * 60
# Megabytes of a job without large data, and the factor by which requests exceed estimates.
_ANY, _MARGIN = 2000, 1.5
# The same on one machine: drawings were measured to take 160 to 430.
_ANY_HERE = 500
# Minutes for start-up and for reading and writing files.
_START = 10
# Resources and options of Slurm whose value is a number of GPUs, a model, or model:number.
_NUMBERS = ("gpu", "gpus", "gpu_model", "nvidia_gpu", "gpus_per_node", "gpus_per_socket", "gpus_per_task")
_NUMBER = re.compile(r"[1-9]\d*|[a-z][\w.-]*(:[1-9]\d*)?", re.IGNORECASE)
# Those whose value is a list of name:number or name:model:number, in which a GPU is called so.
_LISTS = ("gres", "tres_per_job", "tres_per_node", "tres_per_task")
_IN_LIST = re.compile(r"(gres[/:])?gpu([:=]([a-z][\w.-]*|[1-9]\d*))*", re.IGNORECASE)
# Options within slurm_extra.
_OPTION = re.compile(r"(?:--(gres|gpus|gpus-per-\w+|tres-per-\w+)[= ]|(-G))\s*([^\s'\"]+)")


def megabytes(costs, job, attempt):
    """Megabytes of memory to request for a job.

    Args:
        costs: costs.Costs of the study.
        job: jobs.Job.
        attempt: number of the attempt, from 1.
    """
    needed = costs.memory(job)
    return int((_ANY if needed is None else max(_ANY, _MARGIN * needed / 1e6)) * attempt)


def likely_megabytes(costs, job):
    """Megabytes of memory that a job on this machine is likely to take, without a margin.

    Args:
        costs, job: see `megabytes`.
    """
    needed = costs.memory(job)
    return int(_ANY_HERE if needed is None else needed / 1e6)


def minutes(costs, job, attempt, on_gpu):
    """Minutes to request for a job, at most LONGEST.

    Args:
        costs, job, attempt: see `megabytes`.
        on_gpu: whether profile or command line give the job a GPU; see `gives_gpu`.
    """
    core = PRODUCTS if job.rule in ("compute_cka", "compute_pairs", "compute_measure") else CORE
    seconds = costs.operations(job) / (GPU if on_gpu else core)
    return int(min(LONGEST, (_START + seconds / 60) * attempt))


def gives_gpu(resources):
    """Return whether a job with these resources gets a GPU, in any of Slurm's spellings.

    Other expressions than numbers and texts count as none, since a request for a core is the longer one.

    Args:
        resources: dict from names to values as they are written in a profile or on the command line.
    """
    return any(_gives_gpu(name, str(value).strip("'\" ")) for name, value in resources.items() if value is not None)


def _gives_gpu(name, value):
    if name in _NUMBERS:
        return _NUMBER.fullmatch(value) is not None
    if name in _LISTS:
        return any(_IN_LIST.fullmatch(part.strip()) for part in value.split(","))
    if name == "slurm_extra":
        options = ((long.replace("-", "_") or "gpus", given) for long, _, given in _OPTION.findall(value))
        return any(_gives_gpu(*option) for option in options)
    return False
