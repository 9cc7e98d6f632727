"""The library of the reproduction of Nguyen, Raghu and Kornblith (ICLR 2021), a package a concern.

In the order in which data flow: `runtime`, `networks`, `measures`, `formats`, `data`, `training`, `analysis`,
`findings`, `figures`, `study`, `planning`. A package imports those before it and none after it. `names` and `paper`
hold plain records, import nothing of the project, and are imported by all.
"""
