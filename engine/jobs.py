"""Computations in the background: a queue and one worker thread for each device, shared by all visitors.

A page submits a request and looks at the job whenever it is drawn; nothing here waits.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from engine.explain import explain
from engine.specs import parse
from engine.store import canonical
from engine.types import Cancelled, Explanation, Progress, Request, SidelightError

log = logging.getLogger(__name__)
LONGEST_ERROR = 300  # characters
WAITING = Progress(0, 0, "waiting")
STARTING = Progress(0, 0, "loading PyTorch")  # seconds, in the first job of a process; then at once the next

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(eq=False)
class Job:
    """One submitted request, alive. Only its Jobs writes to it; anyone may read it at any time.

    progress: the latest. error: one sentence when it failed. result: when it is done; its `failures` are the
    methods that gave no map, which the store does not hold.
    """

    id: str
    request: Request
    state: JobState = "queued"
    progress: Progress = WAITING
    error: str = ""
    result: Explanation | None = None
    ended: float | None = None  # by the clock of Jobs
    stop: threading.Event = field(default_factory=threading.Event, repr=False)


class Jobs:
    """The queues of one process; a worker starts with the first job of its lane, which is its device."""

    def __init__(
        self,
        run: Callable[..., Explanation] = explain,
        keep: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        question: Callable[[Request], str] | None = None,
        lane: Callable[[Request], str] = lambda request: request.device,
    ) -> None:
        """run: as engine.explain. keep: seconds that a job is remembered after its end. question: equal
        texts for requests that ask the same, where these are of another kind than engine.types.Request.
        lane: requests of one lane wait for each other; what does not use the device may have its own."""
        self._run, self._keep, self._clock = run, keep, clock
        self._question, self._lane = question or of_maps, lane
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._by_question: dict[str, Job] = {}
        self._queues: dict[str, queue.SimpleQueue[Job]] = {}

    def submit(self, request: Request, again: bool = False) -> Job:
        """The job of a request, started if there is none; equal requests share one.

        A job that ended without all of its maps (failed, cancelled, or with failures) answers until it is
        forgotten, so that a page which asks on every run does not start it over; again=True does.
        SidelightError for a method spec that is not valid.
        """
        question = self._question(request)
        with self._lock:
            self._forget()
            job = self._by_question.get(question)
            if job is not None and not (again and job.ended is not None) and not _complete(job):
                return job
            job = Job(uuid.uuid4().hex, request)
            self._jobs[job.id] = self._by_question[question] = job
            lane = self._lane(request)
            if lane not in self._queues:
                waiting = self._queues[lane] = queue.SimpleQueue()
                threading.Thread(
                    target=self._work, args=(waiting,), name=f"sidelight-{lane}", daemon=True
                ).start()
            self._queues[lane].put(job)
            return job

    def get(self, id: str) -> Job | None:
        """The job with that id, or None once it is forgotten."""
        with self._lock:
            self._forget()
            return self._jobs.get(id)

    def cancel(self, id: str) -> None:
        """Stop a job: at once if it waits, at its next step if it runs. What it computed is kept."""
        with self._lock:
            job = self._jobs.get(id)
            if job is not None and job.state == "queued":
                self._end(job, "cancelled")
            elif job is not None:
                job.stop.set()

    def _forget(self) -> None:
        now = self._clock()
        for job in [j for j in self._jobs.values() if j.ended is not None and now - j.ended > self._keep]:
            del self._jobs[job.id]
        self._by_question = {q: j for q, j in self._by_question.items() if j.id in self._jobs}

    def _end(self, job: Job, state: JobState) -> None:
        job.ended = self._clock()
        job.state = state  # last, so that whoever reads it finds the rest in place

    def _work(self, waiting: queue.SimpleQueue[Job]) -> None:
        while True:
            job = waiting.get()
            with self._lock:
                if job.state != "queued":  # cancelled while it waited
                    continue
                job.progress = STARTING
                job.state = "running"
            state = self._compute(job)
            with self._lock:
                self._end(job, state)

    def _compute(self, job: Job) -> JobState:
        def advance(progress: Progress) -> None:
            job.progress = progress

        try:
            job.result = self._run(job.request, progress=advance, cancelled=job.stop.is_set)
        except Cancelled:
            return "cancelled"
        except SidelightError as error:
            job.error = str(error)
            return "failed"
        except Exception as error:  # the worker must outlive any job; the log keeps the traceback
            log.exception("a computation failed")
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            job.error = f"The computation failed ({reason[:LONGEST_ERROR]}); the server's log has more."
            return "failed"
        return "done"


def _complete(job: Job) -> bool:
    """Whether a job gave every map. If they are asked for again, they have left the store."""
    return job.state == "done" and job.result is not None and not job.result.failures


def of_maps(request: Request) -> str:
    """Equal for requests that ask the same, whatever the image is called and however a spec is written."""
    return canonical(
        {
            "image": request.image.digest,
            "targets": [target.as_json() for target in request.targets],
            "specs": [str(parse(spec)) for spec in request.specs],
            "model": [request.model, request.pretrained],
            "resize": request.resize,
            "branch": request.branch,
            "device": request.device,
        }
    )
