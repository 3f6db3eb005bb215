"""The queue, with a stand-in for the computation."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from engine.jobs import Jobs
from engine.types import Cancelled, Failure, Image, Progress, Request, SidelightError, Target
from tests.patience import PATIENCE


def request(prompt="a dog", **changes):
    image = Image(np.zeros((4, 4, 3), np.uint8), digest="0" * 64)
    return replace(Request(image, (Target(prompt),), ("grad_eclip",)), **changes)


class Result:
    def __init__(self, *failures):
        self.failures = failures


class Computation:
    """Stands in for explain: says it has begun, then waits to be released or cancelled."""

    def __init__(self):
        self.begun, self.release = threading.Semaphore(0), threading.Event()
        self.prompts, self.threads = [], set()

    def __call__(self, request, progress, cancelled):
        self.prompts.append(request.targets[0].text)
        self.threads.add(threading.current_thread().name)
        progress(Progress(1, 3, "recording"))
        self.begun.release()
        until = time.monotonic() + PATIENCE
        while not self.release.wait(0.002):
            assert time.monotonic() < until
            if cancelled():
                raise Cancelled("stopped")
        if "refuse" in request.targets[0].text:
            raise SidelightError("There is no model 'x'; use bundled.")
        if "crash" in request.targets[0].text:
            raise RuntimeError("first line\nsecond line")
        if "partly" in request.targets[0].text:
            return Result(Failure("grad_eclip", "image", "partly", "It needs a class token.", True))
        return Result()


def ended(job):
    until = time.monotonic() + PATIENCE
    while job.ended is None:
        assert time.monotonic() < until, f"{job.state} for too long"
        time.sleep(0.002)
    return job


@pytest.fixture
def computation():
    return Computation()


def test_a_job_goes_from_queued_to_done_with_progress(computation):
    jobs = Jobs(run=computation)
    first, second = jobs.submit(request("one")), jobs.submit(request("two"))
    assert computation.begun.acquire(timeout=PATIENCE)
    assert (first.state, first.progress) == ("running", Progress(1, 3, "recording"))
    assert (second.state, second.progress.stage) == ("queued", "waiting")
    computation.release.set()
    assert ended(first).state == ended(second).state == "done"
    assert isinstance(first.result, Result) and first.error == ""
    assert computation.prompts == ["one", "two"]  # in the order of arrival
    assert len(computation.threads) == 1


def test_a_job_that_begins_says_what_it_waits_for():
    release = threading.Event()
    jobs = Jobs(run=lambda request, progress, cancelled: release.wait(PATIENCE) and Result())
    job, until = jobs.submit(request("one")), time.monotonic() + PATIENCE
    while job.state == "queued":
        assert time.monotonic() < until
        time.sleep(0.002)
    assert (job.state, job.progress.stage) == ("running", "loading PyTorch")
    release.set()
    assert ended(job).state == "done"


def test_each_device_has_its_own_worker(computation):
    jobs = Jobs(run=computation)
    on_cpu, on_gpu = jobs.submit(request()), jobs.submit(request(device="cuda"))
    assert computation.begun.acquire(timeout=PATIENCE) and computation.begun.acquire(timeout=PATIENCE)
    assert on_cpu.state == on_gpu.state == "running"  # neither waits for the other
    computation.release.set()
    ended(on_cpu), ended(on_gpu)
    assert computation.threads == {"sidelight-auto", "sidelight-cuda"}


def test_a_lane_of_its_own_holds_up_no_device(computation):
    jobs = Jobs(run=computation, lane=lambda r: f"download of {r.model}" if r.pretrained else r.device)
    fetched, asked = jobs.submit(request("one", model="x", pretrained="tag")), jobs.submit(request("two"))
    assert computation.begun.acquire(timeout=PATIENCE) and computation.begun.acquire(timeout=PATIENCE)
    assert fetched.state == asked.state == "running"
    computation.release.set()
    ended(fetched), ended(asked)
    assert computation.threads == {"sidelight-download of x", "sidelight-auto"}


def test_equal_requests_share_a_job(computation):
    jobs = Jobs(run=computation)
    job = jobs.submit(request())
    renamed = Image(np.zeros((4, 4, 3), np.uint8), digest="0" * 64, name="other")
    assert jobs.submit(request(image=renamed, specs=("grad_eclip( heads = 'model' )",))) is job
    for change in ({"resize": "fit"}, {"branch": "text"}, {"specs": ("game",)}, {"model": "ViT-B-16"}):
        assert jobs.submit(request(**change)) is not job
    assert jobs.submit(request("a cat")) is not job
    computation.release.set()
    ended(job)


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(computation):
    jobs = Jobs(run=computation)
    first, second = jobs.submit(request("one")), jobs.submit(request("two"))
    assert computation.begun.acquire(timeout=PATIENCE)
    jobs.cancel(second.id)
    assert second.state == "cancelled"
    computation.release.set()
    ended(first)
    assert ended(jobs.submit(request("three"))).state == "done"
    assert computation.prompts == ["one", "three"]


def test_a_running_job_is_cancelled_and_the_next_one_runs(computation):
    jobs = Jobs(run=computation)
    first, second = jobs.submit(request("one")), jobs.submit(request("two"))
    assert computation.begun.acquire(timeout=PATIENCE)
    jobs.cancel(first.id)
    assert ended(first).state == "cancelled"
    assert computation.begun.acquire(timeout=PATIENCE) and second.state == "running"
    computation.release.set()
    assert ended(second).state == "done"
    jobs.cancel(second.id)  # too late: nothing happens
    assert second.state == "done"
    jobs.cancel("unknown")


def test_failures_become_one_sentence_and_the_worker_goes_on(computation, caplog):
    computation.release.set()
    jobs = Jobs(run=computation)
    refused, crashed = ended(jobs.submit(request("refuse"))), ended(jobs.submit(request("crash")))
    assert (refused.state, refused.error) == ("failed", "There is no model 'x'; use bundled.")
    assert crashed.state == "failed" and "\n" not in crashed.error
    assert crashed.error.startswith("The computation failed (RuntimeError: first line second line)")
    assert "Traceback" in caplog.text and "second line" in caplog.text
    assert ended(jobs.submit(request())).state == "done"


@pytest.mark.parametrize("prompt", ["refuse", "crash", "partly"])
def test_what_did_not_work_is_not_started_over_by_asking_again(computation, prompt):
    computation.release.set()
    jobs = Jobs(run=computation)
    job = ended(jobs.submit(request(prompt)))
    assert jobs.submit(request(prompt)) is job
    assert jobs.submit(request(prompt), again=True) is not job
    assert jobs.submit(request("other"), again=True).id != job.id


def test_maps_that_left_the_store_are_computed_anew(computation):
    computation.release.set()
    jobs = Jobs(run=computation)
    job = ended(jobs.submit(request()))
    assert ended(jobs.submit(request())) is not job
    assert computation.prompts == ["a dog", "a dog"]


def test_again_joins_a_job_that_is_under_way(computation):
    jobs = Jobs(run=computation)
    job = jobs.submit(request())
    assert jobs.submit(request(), again=True) is job
    computation.release.set()
    ended(job)


def test_ended_jobs_are_forgotten_after_a_while(computation):
    now = [0.0]
    jobs = Jobs(run=computation, keep=60, clock=lambda: now[0])
    job = jobs.submit(request("refuse"))
    now[0] = 1000.0
    assert jobs.get(job.id) is job  # it has not ended
    computation.release.set()
    ended(job)
    now[0] = 1059.0
    assert jobs.get(job.id) is job
    now[0] = 1061.0
    assert jobs.get(job.id) is None
    assert jobs.submit(request("refuse")) is not job


def test_a_wrong_method_is_refused_on_arrival(computation):
    with pytest.raises(SidelightError, match="no method 'grad_clip'"):
        Jobs(run=computation).submit(request(specs=("grad_clip",)))
    assert computation.prompts == []
