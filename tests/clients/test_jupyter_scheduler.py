"""Does jupyter-scheduler's own manager run a playbook, and how can a job that went wrong be told?"""

from __future__ import annotations

import json
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from clients.outside import errors, headline, outputs, plain_environment

pytestmark = pytest.mark.filterwarnings("ignore")

#: As they are typed into the boxes of its form: Python, texts in quotes.
JOBS = {
    "good": {"region": '"NO"', "orders": "2000", "weeks": "2", "costs": '{"margin": 0.2}', "start": '"2026-01-01"'},
    "name": {"regoin": '"BR"'},
    "value": {"orders": "2"},
    "bare": {"region": "BR"},
}
#: Jobs of the manager that packs all files into an archive.
ARCHIVED = {"archived": {"orders": "2"}}
#: Seconds until a job that has not ended counts as hanging.
PATIENCE = 240


def _manager(folder: Path, *, archive: bool) -> Any:
    from jupyter_scheduler.environments import StaticEnvironmentManager
    from jupyter_scheduler.executors import ArchivingExecutionManager, DefaultExecutionManager
    from jupyter_scheduler.orm import create_tables

    address = f"sqlite:///{folder / 'jobs.sqlite'}"
    create_tables(address)
    from jupyter_scheduler import scheduler

    made = scheduler.ArchivingScheduler if archive else scheduler.Scheduler
    return made(
        root_dir=str(folder),
        environments_manager=StaticEnvironmentManager(),
        db_url=address,
        staging_path=str(folder / ("archived" if archive else "staged")),
        task_runner_class=None,
        execution_manager_class=ArchivingExecutionManager if archive else DefaultExecutionManager,
    )


def _create(manager: Any, name: str, parameters: dict[str, str], formats: list[str]) -> str:
    from jupyter_scheduler.models import CreateJob

    return str(
        manager.create_job(
            CreateJob(
                input_uri="rule_health.ipynb",
                name=name,
                runtime_environment_name="here",
                output_formats=formats,
                parameters=parameters,
            )
        )
    )


@pytest.fixture(scope="module")
def jobs(elsewhere) -> dict[str, tuple[str, str, Path]]:
    """The jobs side by side: how each ended, what the manager said of it, and its notebook."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(plain_environment()):
            patch.delenv(name)
        plain, packing = _manager(elsewhere, archive=False), _manager(elsewhere, archive=True)
        started = {name: (plain, _create(plain, name, asked, ["ipynb"])) for name, asked in JOBS.items()}
        for name, asked in ARCHIVED.items():
            started[name] = (packing, _create(packing, name, asked, ["input", "ipynb", "tar.gz"]))
        ends, until = {}, time.monotonic() + PATIENCE
        try:
            for name, (manager, job) in started.items():
                held = manager.get_job(job, job_files=False)
                while str(held.status) not in ("COMPLETED", "FAILED"):  # a job that has not begun is called stopped
                    assert time.monotonic() < until, f"{name} hangs"
                    time.sleep(0.3)
                    held = manager.get_job(job, job_files=False)
                notebook = Path(manager.get_staging_paths(held)["ipynb"])
                ends[name] = str(held.status), str(held.status_message or ""), notebook
        finally:
            for manager, job in started.values():
                if str(manager.get_job(job, job_files=False).status) == "IN_PROGRESS":
                    manager.stop_job(job)
    return ends


def test_a_job_with_parameters_ends_with_our_results(jobs):
    status, _, notebook = jobs["good"]
    assert status == "COMPLETED"
    assert errors(notebook) == []
    assert headline(notebook)
    (table,) = [
        held["data"]["application/vnd.riskbench.session.v1+json"]["tables"]["parameters"]
        for held in outputs(notebook)
        if "application/vnd.riskbench.session.v1+json" in held.get("data", {})
    ]
    told = {row["name"]: (row["value"], row["given"]) for row in table}
    assert {name: told[name] for name in JOBS["good"]} == {
        "region": ("NO", "yes"),
        "orders": ("2000", "yes"),
        "weeks": ("2", "yes"),
        "costs": ("{'margin': 0.2}", "yes"),
        "start": ("2026-01-01", "yes"),
    }
    assert told["seed"] == ("7", "default")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("name", ("ParameterError: There is no parameter 'regoin'", "did you mean 'region'?")),
        ("value", ("ParameterError: The parameter 'orders' is out of range", "500 to 20,000,000")),
        ("bare", ("NameError: name 'BR' is not defined",)),
    ],
)
def test_a_wrong_parameter_fails_the_job_in_plain_words(jobs, job, words):
    status, message, notebook = jobs[job]
    assert status == "FAILED"
    (error,) = errors(notebook)
    for word in words:
        assert word in error
        assert word.split(": ", 1)[-1] in message
    assert headline(notebook) == []


def test_the_archiving_manager_calls_a_failed_job_completed_and_the_missing_end_tells(jobs):
    """Its status is not to be believed: a run that came to its end bears the mark of a finished one."""
    status, message, notebook = jobs["archived"]
    assert (status, message) == ("COMPLETED", "")
    assert "out of range" in errors(notebook)[0]
    assert headline(notebook) == []
    with tarfile.open(notebook.with_suffix(".tar.gz")) as held:
        assert notebook.name in held.getnames()
    assert "finished" not in json.dumps(json.loads(notebook.read_text("utf-8"))["metadata"])
