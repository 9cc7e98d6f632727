"""Memory and time that a job requests of a cluster, from its costs and the number of the attempt.

Estimates err upwards. A job that still exceeds a limit requests more in its next attempt.
"""

# Operations a second: of a slow core, of a slow GPU, and of a slow core in products of Gram matrices (float64).
CORE, GPU, PRODUCTS = 20e9, 5e12, 5e9
# Minutes of a day, the longest limit of many clusters. Trainings and probes that reach it go on in the next attempt.
LONGEST = 24 * 60
# Megabytes of a job without large data, and the factor by which requests exceed estimates.
_ANY, _MARGIN = 2000, 1.5
# Minutes for start-up and for reading and writing files.
_START = 10


def megabytes(costs, job, attempt):
    """Megabytes of memory to request for a job.

    Args:
        costs: costs.Costs of the study.
        job: jobs.Job.
        attempt: number of the attempt, from 1.
    """
    needed = costs.memory(job)
    return int((_ANY if needed is None else max(_ANY, _MARGIN * needed / 1e6)) * attempt)


def minutes(costs, job, attempt, on_gpu):
    """Minutes to request for a job, at most LONGEST.

    Args:
        costs, job, attempt: see `megabytes`.
        on_gpu: whether the profile gives the job a GPU.
    """
    core = PRODUCTS if job.rule in ("compute_cka", "compute_pairs", "compute_measure") else CORE
    seconds = costs.operations(job) / (GPU if on_gpu else core)
    return int(min(LONGEST, (_START + seconds / 60) * attempt))
