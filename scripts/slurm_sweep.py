"""Sweep on a SLURM of this machine whose jobs are killed, and compare with a sweep without it.

    python scripts/slurm_sweep.py [--runs 200] [--kills 20] [--jobs 2] [--json]

Needs slurmctld and slurmd (Debian: slurm-wlm), dask-jobqueue, and to be root, as SLURM's daemons
are. They run in a folder of their own, on free ports, without authentication, and end with the
command. Meanwhile random jobs are killed, the node vanishes and comes back once, the controller is
restarted once, and jobs may run for a minute only. Exit status 1 unless both tables have the same
bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from neurorl.cli.status import exit_status

DAEMONS = ("slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue")
_CONF = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={spool}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MailProg=/bin/true
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Run SLURM's two daemons in a folder; commands find it by the environment `env`."""

    def __init__(self, folder: Path, cpus: int, memory: int = 8000) -> None:
        (folder / "state").mkdir(parents=True)
        # Sockets of jobs lie here, and the system limits a socket's path to 108 bytes.
        self.spool = Path(tempfile.mkdtemp(prefix="slurm"))
        self.host = socket.gethostname().partition(".")[0]
        self.conf = folder / "slurm.conf"
        controller, node = _free_ports(2)
        self.conf.write_text(
            _CONF.format(
                folder=folder,
                spool=self.spool,
                host=self.host,
                user="root",
                controller=controller,
                node=node,
                cpus=cpus,
                memory=memory,
            )
        )
        self.env = {**os.environ, "SLURM_CONF": str(self.conf)}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, daemon: str) -> None:
        """Start a daemon that isn't running."""
        node = ("-N", "node") if daemon == "slurmd" else ()
        command = [daemon, "-D", "-f", str(self.conf), *node]
        self.running[daemon] = subprocess.Popen(
            command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self, daemon: str) -> None:
        """Kill a daemon as a power cut would."""
        process = self.running.pop(daemon)
        process.kill()
        process.wait()

    def call(self, *command: str) -> str:
        """Run a command of SLURM; return what it prints, nothing while it doesn't answer."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        return done.stdout

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until the node takes jobs. Raises RuntimeError if it doesn't."""
        until = time.monotonic() + seconds
        while "idle" not in self.call("sinfo", "-h", "-o", "%T"):
            if time.monotonic() > until:
                raise RuntimeError(f"the node takes no jobs after {seconds:g} s: {self.log()}")
            time.sleep(0.5)

    def try_job(self, seconds: float = 60.0) -> None:
        """Run a job that does nothing. Raises RuntimeError if it doesn't end well."""
        job = ("sbatch", "--wait", "--output=/dev/null", "--wrap=true")
        try:
            subprocess.run(job, env=self.env, capture_output=True, check=True, timeout=seconds)
        except subprocess.SubprocessError as error:
            raise RuntimeError(f"SLURM runs no job here ({error}): {self.log()}") from error

    def log(self) -> str:
        """Return the last errors of the node's daemon."""
        log = self.conf.with_name("slurmd.log")
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        return "; ".join([line for line in lines if "error" in line or "fatal" in line][-3:])

    def resume(self) -> None:
        """Take a drained node back, as an administrator would.

        SLURM drains a node where a job's processes outlive their kill for a minute; a daemon that
        was away meanwhile is enough for that.
        """
        if "drain" in self.call("sinfo", "-h", "-o", "%T"):
            self.call("scontrol", "update", "NodeName=node", "State=RESUME")

    def jobs(self) -> list[str]:
        """Return the numbers of the jobs that run."""
        return self.call("squeue", "-h", "-t", "RUNNING", "-o", "%i").split()


@contextmanager
def slurm(folder: Path, cpus: int) -> Iterator[Slurm]:
    """Start SLURM, and end its jobs and daemons with the block."""
    system = Slurm(folder, cpus)
    try:
        system.start("slurmctld")
        system.start("slurmd")
        system.wait()
        system.try_job()
        yield system
    finally:
        system.call("scancel", "--user", "root")
        for daemon in list(system.running):
            system.stop(daemon)
        shutil.rmtree(system.spool, ignore_errors=True)


def missing() -> str:
    """Return why SLURM can't be started here, or nothing if it can."""
    lacking = [name for name in DAEMONS if shutil.which(name) is None]
    if lacking:
        return f"needs {', '.join(lacking)}: Debian has them in slurm-wlm"
    return "" if os.geteuid() == 0 else "SLURM's daemons run as root here"


def _free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def sweep_command(folder: Path, name: str, *options: str) -> list[str]:
    """Return the command that sweeps the folder's grid."""
    return [
        *(sys.executable, "-m", "neurorl", "sweep", str(folder / "grid.toml")),
        *("--out", str(folder / name), "--json", *options),
    ]


def write_files(folder: Path, runs: int, jobs: int, walltime: str = "00:01:00") -> None:
    """Write the grid, of as many runs, and what a job asks for."""
    betas = ", ".join(f"{0.05 + 0.001 * k:.3f}" for k in range(runs))
    task = 'env = "neurorl/GridWorld-v0"\nepisodes = 600\nevaluate = 10\n'
    grid = f"{task}[set]\npolicy.beta = [{betas}]\n"
    (folder / "grid.toml").write_text(grid)
    job = f'jobs: {jobs}\ncores: 1\nmemory: 1GB\nwalltime: "{walltime}"\n'
    (folder / "jobs.yaml").write_text(job)


def disturb(system: Slurm, sweep: subprocess.Popen[bytes], kills: int, every: float) -> int:
    """Kill jobs while a sweep runs, one every so many seconds; return how many were killed."""
    killed, draws = 0, random.Random(1)
    while sweep.poll() is None:
        time.sleep(every)
        system.resume()
        running = system.jobs()
        if killed < kills and running and sweep.poll() is None:
            system.call("scancel", "--signal=KILL", "--full", draws.choice(running))
            killed += 1
            for daemon in {kills // 3: ["slurmctld"], 2 * kills // 3: ["slurmd"]}.get(killed, []):
                system.stop(daemon)
                time.sleep(every)
                system.start(daemon)
    return killed


def measure(folder: Path, runs: int, kills: int, jobs: int, every: float) -> dict[str, object]:
    """Sweep with SLURM and without it; return what came of both."""
    write_files(folder, runs, jobs)
    begun = time.monotonic()
    with slurm(folder / "slurm", jobs) as system:
        command = sweep_command(folder, "slurm-out", "--cluster", f"slurm:{folder / 'jobs.yaml'}")
        with (folder / "said.json").open("wb") as said:
            sweep = subprocess.Popen(command, env=system.env, stdout=said, cwd=folder)
            try:
                killed = disturb(system, sweep, kills, every)
            finally:
                sweep.kill()
                sweep.wait()
    seconds = time.monotonic() - begun
    status = sweep.returncode
    begun = time.monotonic()
    subprocess.run(sweep_command(folder, "here"), stdout=subprocess.DEVNULL, check=True)
    tables = [(folder / name / "table.csv").read_bytes() for name in ("slurm-out", "here")]
    return {
        "runs": len(tables[0].splitlines()) - 1,
        "killed": killed,
        "status": status,
        "equal": tables[0] == tables[1],
        "seconds": round(seconds, 1),
        "seconds_here": round(time.monotonic() - begun, 1),
        "cpu_here": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 1),
    }


@exit_status("slurm_sweep")
def main(arguments: list[str] | None = None) -> int:
    """Run both sweeps, and print what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2, help="at once, a core each")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between kills")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if missing():
        parser.error(missing())
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.runs, options.kills, options.jobs, options.every)
    print(
        json.dumps(found)
        if options.json
        else "{runs} runs on SLURM, {killed} jobs killed, exit status {status}: rows equal to one "
        "machine's: {equal}; {seconds} s, {seconds_here} s here in one process".format(**found)
    )
    return int(not found["equal"] or found["runs"] != options.runs)


if __name__ == "__main__":
    raise SystemExit(main())
