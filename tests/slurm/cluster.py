"""A real Slurm with two nodes on this machine: munge, a controller, two node daemons, nothing that confines jobs."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
NODES = ("n1", "n2")
# Snakemake's job step removes SLURM_CONF before it calls srun, so the configuration must lie in the default place.
DEFAULT_PLACE = Path("/etc/slurm/slurm.conf")

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge/socket
CryptoType=crypto/munge
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.%n.pid
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/spool.%n
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc={state}/jobs.txt
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SchedulerParameters=bf_interval=2,sched_min_interval=0,batch_sched_delay=0,preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
JobFileAppend=1
SlurmdTimeout=10
ReturnToService=2
KillWait=5
MinJobAge=300
NodeName=n1 NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=16000 Gres=gpu:4 State=UNKNOWN
NodeName=n2 NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=16000 Gres=gpu:4 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=3000 PriorityTier=10 PreemptMode=OFF
PartitionName=spot Nodes=n1,n2 MaxTime=3000 PriorityTier=1 PreemptMode=REQUEUE
"""


def reason_it_cannot_run():
    """Why there can be no cluster on this machine; nothing where there can."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        return (
            f"Slurm is not installed here ({', '.join(missing)} missing; Debian: slurmctld slurmd slurm-client munge)"
        )
    if os.getuid() != 0:
        return "only root can start Slurm's daemons"
    if DEFAULT_PLACE.exists() and not str(DEFAULT_PLACE.resolve()).endswith("of-widedeep-tests.conf"):
        return f"{DEFAULT_PLACE} belongs to another cluster"
    return ""


class Cluster:
    """Daemons and files in the folder `state`."""

    def __init__(self, state):
        self.state = Path(state)
        self.configuration = self.state / "of-widedeep-tests.conf"

    def start(self):
        for name in ("munge", "controller", "spool.n1", "spool.n2", "devices"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        (self.state / "munge").chmod(0o711)  # munged refuses a folder that others can write to
        self.configuration.write_text(CONFIGURATION.format(state=self.state, ports=free_ports(3)))
        self._make_gpus()
        DEFAULT_PLACE.parent.mkdir(parents=True, exist_ok=True)
        DEFAULT_PLACE.unlink(missing_ok=True)
        DEFAULT_PLACE.symlink_to(self.configuration)
        self._start_munge()
        run("slurmctld", "-c", "-f", self.configuration)
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: all(self.state_of(node) == "idle" for node in NODES), 30, "both nodes are idle")

    def stop(self):
        """Cancel what runs, end the daemons, and leave the machine as it was."""
        jobs = run("squeue", "-h", "-o", "%A", check=False).split()
        if jobs:
            run("scancel", *jobs, check=False)
            time.sleep(1)
        for node in NODES:
            self.kill_node(node)
        for pid in filter(None, (self._pid("slurmctld.pid"), self._pid("munge/pid"))):
            kill(pid, signal.SIGTERM)
            wait_until(lambda pid=pid: not is_alive(pid), 10, f"process {pid} has ended")
        DEFAULT_PLACE.unlink(missing_ok=True)

    def start_node(self, node):
        run("slurmd", "-N", node, "-f", self.configuration)

    def kill_node(self, node):
        """What a power cut does: everything stops first, so that no process tells of another's death."""
        pids = [*filter(None, [self._pid(f"slurmd.{node}.pid")]), *processes_of(node)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                kill(pid, number)

    def state_of(self, node):
        """As sinfo says it: idle, mix, alloc, down."""
        return run("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%t", check=False).strip().rstrip("*")

    def ended(self):
        """A line for every ended job, as Slurm wrote it."""
        path = self.state / "jobs.txt"
        return path.read_text().splitlines() if path.exists() else []

    def ended_as(self, number):
        """The line of one job."""
        return next(line for line in self.ended() if line.startswith(f"JobId={number} "))

    def _start_munge(self):
        folder = self.state / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        run("munged", *(f"--{option}={folder / name}" for option, name in names.items()))

    def _make_gpus(self):
        """GPUs that are copies of /dev/null: Slurm counts them and sets CUDA_VISIBLE_DEVICES."""
        lines = []
        for node in NODES:
            for number in range(4):
                device = self.state / "devices" / f"{node}-gpu{number}"
                os.mknod(device, 0o20666, os.makedev(1, 3))
                lines.append(f"NodeName={node} Name=gpu File={device}\n")
        (self.state / "gres.conf").write_text("".join(lines))

    def _pid(self, name):
        path = self.state / name
        return int(path.read_text()) if path.exists() and path.read_text().strip() else 0


def jobs():
    """Jobs that wait or run: (number, state, comment), the comment of Snakemake's being rule and wildcards."""
    lines = run("squeue", "-h", "-t", "PENDING,RUNNING", "-o", "%A|%T|%k", check=False).splitlines()
    return [tuple(line.split("|", 2)) for line in lines]


def release():
    """Start requeued jobs now; Slurm lets them wait for two minutes."""
    for line in run("squeue", "-h", "-t", "PENDING", "-o", "%A %r", check=False).splitlines():
        number, reason = line.split()
        if reason == "BeginTime":
            run("scontrol", "update", f"JobId={number}", "StartTime=now", check=False)


def processes_of(node):
    """The processes of a node's jobs, which know its name, and the steps above them."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and f"SLURMD_NODENAME={node}".encode() in (folder / "environ").read_bytes().split(
                b"\0"
            ):
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                above = Path("/proc", str(parent), "comm").read_text().strip() == "slurmstepd"
                found += [int(folder.name), *[parent] * above]
    return sorted(set(found))


def is_alive(pid):
    """Whether a process runs; a zombie, which a slow init may leave for a while, has no command line."""
    try:
        return bool(Path("/proc", str(pid), "cmdline").read_bytes())
    except OSError:
        return False


def kill(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def run(*words, check=True):
    """What a program says; its words on an error are in the test's failure."""
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=30)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def wait_until(happened, seconds, what):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
