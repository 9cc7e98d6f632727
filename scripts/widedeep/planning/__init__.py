"""What a study costs, what fits into a given time, how far a study is, and whether its results are whole.

    sizes           size of a network: layers, features, operations of a forward pass; counted or estimated
    file_sizes      bytes of each kind of file
    images          numbers and shape of images, known before the data set is there
    costs           operations and memory of each job, from these
    throughput      measured rates of this machine
    requests        memory and time that a job asks of a cluster
    budget          the networks that fit into a number of minutes
    progress        state of each job, from the files of a study
    remaining       time that is left, from finished jobs
    verification    whether all files are there, whole and consistent

Imports `study` and the packages before it.
"""
