# A rule for each drawing of the study (scripts/widedeep/study/drawings.py): the programs are called alike, with the
# files that they read, their options and the files that they write.
for drawing in drawings.drawings_of(STUDY):

    rule:
        name:
            drawing
        input:
            **inputs(drawing),
        output:
            **in_report(drawing),
        log:
            JOB[drawing].log,
        conda:
            "../../environment.yml"
        threads: THREADS if drawings.DRAWINGS[drawing].runs_network else 1
        resources:
            program=program(drawings.DRAWINGS[drawing].program),
            mem_mb=memory(drawing),
            runtime=minutes(drawing),
            processes=processes() if drawings.DRAWINGS[drawing].runs_network else "--threads 1",
        params:
            timing=JOB[drawing].timing,
            arguments=verbatim(JOB[drawing].arguments),
            code=code(drawings.DRAWINGS[drawing].program),
        message:
            f"Drawing {JOB[drawing].name}"
        shell:
            "{resources.program} {params.arguments} {resources.processes} --timing {params.timing} > {log} 2>&1"
