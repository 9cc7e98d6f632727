# The workflow in a container, for any user (config/README.md says more):
#
#   docker build -t widedeep .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/work" widedeep --configfile mine.yaml
FROM python:3.11-slim

# git tells the commit that results come from, though the repository is not its user's; tini passes a signal on to all
# jobs, as a terminal does.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git tini \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /opt/widedeep

# Before the code, so that an edit of it installs nothing again.
WORKDIR /opt/widedeep
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

# Users of the image own nothing here: they must be able to read it, and cannot compile it themselves.
COPY . .
RUN chmod -R a+rX . \
    && python -m compileall -q scripts

# So that `docker stop`, as Ctrl-C, lets trainings write checkpoints.
STOPSIGNAL SIGINT

# Configs, data and results: to be mounted.
WORKDIR /work
ENTRYPOINT ["tini", "-g", "--", "python", "/opt/widedeep/scripts/run_study.py"]
