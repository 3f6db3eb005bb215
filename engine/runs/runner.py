"""A run from start to end, or from where it was left: claim an image, measure it, leave its result, go on."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.catalog import describe
from engine.curves import Protocol
from engine.datasets import ImageSet, Item
from engine.models import Model, load
from engine.runs import folder as files
from engine.runs.catalog import DEFAULT, checked
from engine.runs.check import check
from engine.runs.subject import specs_of
from engine.runs.summary import summarise
from engine.runs.table import write_tables
from engine.runs.types import Row, RunRequest, RunResult, RunStatus
from engine.runs.unmeasured import unmeasured
from engine.runs.work import measure
from engine.sources import open_set
from engine.specs import parse
from engine.store import canonical
from engine.types import Cancelled, SidelightError

LIBRARIES = ("torch", "open_clip_torch", "numpy", "scipy")
WAIT = 0.5  # seconds between looks at images that another process holds


def run(
    request: RunRequest,
    folder: Path,
    progress: Callable[[RunStatus], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    loaded: Model | None = None,
) -> RunResult:
    """Measure every image that has no result yet, together with whoever else works in the folder; table and
    summary of all of them, which are also written there.

    progress: called after every image. cancelled: asked before every image and within; raises Cancelled, and
    what was finished is kept. A broken image is a problem of the result, which the next run tries again.
    SidelightError for requests that cannot be meant, and for a folder that holds another run.
    """
    request = replace(request, specs=specs_of(replace(request, controls=False)))
    found = open_set(request.set)
    items = found.items[: request.first]
    if not items:
        raise SidelightError(f"The set {found.name} has no images.")
    check(request, items)
    model = loaded or load(request.model, request.pretrained, request.device)
    files.create(folder, _manifest(request, found, items, model))
    files.reopen(folder)
    vocabulary = tuple(dict.fromkeys(prompt for item in found.items for prompt in item.prompts))
    own, started = 0, time.monotonic()

    def tell() -> None:
        if progress is not None:
            progress(_status(folder, own, time.monotonic() - started))

    tell()
    open_ = list(range(len(items)))
    while open_:
        later = []
        for index in open_:
            if cancelled is not None and cancelled():
                raise Cancelled("The run was stopped; start it again with the same folder to go on.")
            with files.claim(folder, index) as ours:
                if ours:
                    _leave(folder, index, items[index], request, vocabulary, model, cancelled)
                    own += 1
            if ours:
                tell()
            elif not files.is_done(folder, index):
                later.append(index)
        if later == open_:
            time.sleep(WAIT)
        open_ = later
    done = result(folder)
    write_tables(folder, done)
    return done


def _leave(
    folder: Path,
    index: int,
    item: Item,
    request: RunRequest,
    vocabulary: Sequence[str],
    model: Model,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Measure one image and write its result, which is a sentence where it cannot be measured."""
    try:
        made = measure(request, item, vocabulary, model, cancelled=cancelled)
        rows = [[r.target, r.spec, r.metric, r.value] for r in made.rows]
        found: dict[str, Any] = {"rows": rows, "failures": dict(made.failures)}
    except Cancelled:
        raise
    except SidelightError as error:
        found = {"problem": str(error)}
    content = json.dumps({"image": item.id, **found}).encode()
    files.write(files.result_path(folder, index, "problem" in found), content)


def _manifest(request: RunRequest, found: ImageSet, items: Sequence[Item], model: Model) -> dict[str, Any]:
    return {
        "format": files.FORMAT,
        "request": asdict(request),
        "specs": list(specs_of(request)),
        "metrics": list(checked(request.metrics) or DEFAULT),
        "set": {"name": found.name, "title": found.title, "licence": found.licence},
        "images": [item.id for item in items],
        "model": model.info.id,
        "weights": model.info.digest,
        "device": model.device,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "problems": list(found.problems),
    }


def status(folder: Path) -> RunStatus:
    """How far the run in a folder is."""
    return _status(folder, 0, 0.0)


def _status(folder: Path, own: int, seconds: float) -> RunStatus:
    manifest = files.read(folder)
    failed = [f"{found['image']}: {found['problem']}" for found in files.results(folder, problems=True)]
    done = files.count(folder)
    rate = own / seconds if own and seconds > 0 else 0.0
    total = len(manifest["images"])
    return RunStatus(
        total=total,
        done=done,
        failed=len(failed),
        rate=rate,
        left=(total - done) / rate if rate else None,
        problems=(*manifest["problems"], *failed),
    )


def result(folder: Path) -> RunResult:
    """Table and summary of what is done so far."""
    manifest, results = files.read(folder), list(files.results(folder))
    rows = tuple(Row(found["image"], *row) for found in results for row in found["rows"])
    request = request_of(manifest)
    specs = manifest["specs"]
    reference = str(parse(request.reference)) if request.reference else specs[0]
    return RunResult(
        request=request,
        status=status(folder),
        rows=rows,
        summary=summarise(rows, specs, manifest["metrics"], reference, request.seed),
        manifest=manifest,
        unmeasured=unmeasured(manifest, results),
    )


def request_of(manifest: Mapping[str, Any]) -> RunRequest:
    """What a run was asked, from its manifest."""
    values = manifest["request"]
    protocol = {k: tuple(v) if isinstance(v, list) else v for k, v in values["protocol"].items()}
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return RunRequest(**{**plain, "protocol": Protocol(**protocol)})


def question(request: RunRequest) -> str:
    """Equal for requests that ask the same, however a spec is written."""
    specs = [str(parse(spec)) for spec in request.specs]
    return canonical(
        {**asdict(request), "specs": specs, "described": describe(request.model, request.pretrained).digest}
    )
