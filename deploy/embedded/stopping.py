"""Ending the processes of an instance, with or without a supervisor over them."""

from __future__ import annotations

import json
import signal
import subprocess

from deploy.embedded.instance import Instance, service_names, write_atomically
from deploy.embedded.processes import EngineError, ProcessId, end
from deploy.embedded.terminal import say


def end_engine_or_service(
    name: str, process: ProcessId, popen: subprocess.Popen[bytes] | None = None
) -> None:
    if name == "postgres":
        # "Fast": sessions are ended and a checkpoint is written. Then "immediate", from which it recovers.
        end(process, first=signal.SIGINT, grace_s=20.0, last=signal.SIGQUIT, reap=popen)
    else:
        end(process, grace_s=20.0, reap=popen)


def down(instance: Instance) -> bool:
    """Stop everything of an instance, with or without a supervisor. Returns whether anything ran."""
    if not instance.data.exists():
        return False
    found = False
    supervisor = instance.supervisor()
    if supervisor is not None:
        found = True
        say(f"stopping the instance in {instance.data}")
        end(supervisor, grace_s=90.0)
    with instance.lock() as held:
        if not held:
            raise EngineError(
                f"another `keypost` is just starting or stopping {instance.data}: try again in a moment"
            )
        notes = instance.state().get("processes", {})
        names = [name for name in notes if name not in ("kafka", "postgres")]
        names += [name for name in service_names() if name not in names]
        for name in (*names, "postgres", "kafka"):
            processes = instance.marked("initdb" if name == "postgres" else name)
            processes += instance.marked(f"{name}-migrate")
            if name == "postgres" and (postmaster := instance.postmaster()) is not None:
                processes.append(postmaster)
            noted = ProcessId.from_json(notes.get(name))
            if noted is not None and noted.alive() and noted not in processes:
                processes.append(noted)
            for process in processes:
                found = True
                say(f"ending {name} (pid {process.pid}), which had no supervisor")
                end_engine_or_service(name, process)
        if instance.exists():
            state = {**instance.state(), "supervisor": None, "ready": False, "processes": {}}
            write_atomically(instance.state_file, json.dumps(state, indent=2) + "\n")
    return found
