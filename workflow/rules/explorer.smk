rule explorer:
    input:
        **inputs("explorer"),
    output:
        **outputs("explorer"),
    log:
        JOB["explorer"].log,
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        program=program("make_explorer.py"),
        mem_mb=memory("explorer"),
    params:
        timing=JOB["explorer"].timing,
        arguments=verbatim(JOB["explorer"].arguments),
        code=code_of_explorer(),
    message:
        "Making the explorer"
    shell:
        "{resources.program} {params.arguments} --data {input.data} --findings {input.findings}"
        " --threads {threads} --timing {params.timing} --out {output.page} > {log} 2>&1"
