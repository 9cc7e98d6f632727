"""What a job asks of a cluster: memory and time, by the size of its network, and more with each attempt.

Estimates err upwards; a job that met a limit all the same has more of it in its next attempt.
"""

# Operations a second of a slow core and of a slow GPU, and of products of Gram matrices in double precision on a core.
CORE, GPU, PRODUCTS = 20e9, 5e12, 5e9
# Minutes of a day: many clusters have no longer time limit, and trainings and probes that meet theirs go on in the next
# attempt.
LONGEST = 24 * 60
# Megabytes of a job that needs no more than any program, and the factor for what estimates miss.
_ANY, _MARGIN = 2000, 1.5
# Minutes for start-up and files.
_START = 10


def megabytes(costs, job, attempt):
    """Memory to ask for.

    Args:
        costs: costs.Costs of the study.
        job: jobs.Job.
        attempt: 1, 2, ...
    """
    needed = costs.memory(job)
    return int((_ANY if needed is None else max(_ANY, _MARGIN * needed / 1e6)) * attempt)


def minutes(costs, job, attempt, on_gpu):
    """Time to ask for; the other arguments are those of `megabytes`.

    Args:
        on_gpu: whether the profile gives the job a GPU.
    """
    core = PRODUCTS if job.rule in ("compute_cka", "compute_pairs") else CORE
    seconds = costs.operations(job) / (GPU if on_gpu else core)
    return int(min(LONGEST, (_START + seconds / 60) * attempt))
