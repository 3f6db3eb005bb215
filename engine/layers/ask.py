"""Ask for the inside of a branch: store lookups, one recording for a target that is missing, store again.

A request is `engine.types.Request` without methods: `specs` is empty, `branch` is 'image' or 'text'. Loads
torch only where something has to be computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import images
from engine.catalog import describe
from engine.layers.coding import Rows, encode
from engine.layers.quantities import QUANTITIES
from engine.layers.summary import Summary, entry_of, gains, summary_of
from engine.store import Store, default_store
from engine.tiles import checked_targets, origin_of
from engine.types import Branch, Cancelled, ModelInfo, Progress, Request, SidelightError, Target, Unsupported

if TYPE_CHECKING:
    from engine.models import Model
    from engine.trace import Trace

VERSION = 1  # of the definitions; a new one makes every stored entry a miss


@dataclass(frozen=True)
class Computed:
    """What a computation gave: a summary for every target of the request. failures: none, see engine.jobs."""

    summaries: tuple[Summary, ...]
    failures: tuple[()] = ()


def stored(
    request: Request, store: Store | None = None, info: ModelInfo | None = None
) -> tuple[Summary | None, ...]:
    """What the store holds of each target, None where it has to be computed.

    SidelightError for bad requests.
    """
    store, info = store or default_store(), info or describe(request.model, request.pretrained)
    branch = _branch(request)
    if branch == "image" and "transformer blocks" not in info.offers:
        raise Unsupported(
            f"The image tower of {info.id} is no vision transformer, so it has no layers of heads to show; "
            "look at its text tower."
        )
    found = []
    for target in checked_targets(request):
        entry = store.get(_key(request, info, target, "summary")) if info.digest else None
        found.append(summary_of(branch, target, entry.arrays, entry.meta) if entry else None)
    return tuple(found)


def rows(
    request: Request,
    target: Target,
    quantity: str,
    blocks: Sequence[int],
    store: Store | None = None,
    info: ModelInfo | None = None,
) -> dict[int, Rows]:
    """The rows of a quantity that has sources, for those of `blocks` that the store holds."""
    store, info = store or default_store(), info or describe(request.model, request.pretrained)
    found = {}
    for block in blocks:
        entry = store.get(_key(request, info, target, quantity, block))
        if entry is not None:
            found[block] = Rows(**entry.arrays)
    return found


def compute(
    request: Request,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    loaded: Model | None = None,
) -> Computed:
    """Everything of the request's targets, from the store where it is, computed and stored where not.

    progress, cancelled, loaded: as in engine.explain.explain; progress counts targets.
    """
    from engine.models import load

    store = store or default_store()
    total = len(checked_targets(request))
    done = 0

    def say(stage: str) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The computation was cancelled; what was finished is kept.")
        if progress is not None:
            progress(Progress(done, total, stage))

    model = loaded or load(request.model, request.pretrained, request.device, say)
    found = []
    for held in zip(stored(request, store, model.info), checked_targets(request), strict=True):
        found.append(held[0] or _computed(request, model, held[1], store, say))
        done += 1
    return Computed(tuple(found))


def _branch(request: Request) -> Branch:
    if request.branch not in ("image", "text"):
        raise SidelightError(f"Layers are looked at in the image or the text branch, not {request.branch!r}.")
    return request.branch


def _key(
    request: Request, info: ModelInfo, target: Target, part: str, block: int | None = None
) -> dict[str, Any]:
    # What an image's own tokens attend to is the same for every target, and kept once.
    shared = request.branch == "image" and part in QUANTITIES and QUANTITIES[part].shared
    return {
        **origin_of(request, info, _branch(request)),
        "kind": "layers",
        "version": VERSION,
        "part": part,
        "block": block,
        "target": None if shared else target.as_json(),
    }


def _computed(
    request: Request, model: Model, target: Target, store: Store, say: Callable[[str], None]
) -> Summary:
    from engine.layers import measures
    from engine.precision import exact_float32
    from engine.words import unread

    started = time.perf_counter()
    with model.lock, exact_float32():
        say("recording every block")
        trace = _record(request, model, target, say)
        n = measures.length(trace)
        content = trace.content[0, :n].cpu().numpy()
        row = int(trace.row[0])
        pooled: dict[str, dict[int, np.ndarray]] = {}
        for name, block, values in measures.matrices(trace):
            say(f"{QUANTITIES[name].title.lower()}, block {block + 1}")
            matrix = values.detach().float().cpu().numpy()
            pooled.setdefault(name, {})[block] = matrix[:, row]
            key = _key(request, model.info, target, name, block)
            if not QUANTITIES[name].shared or store.get(key) is None:
                store.put(key, vars(encode(matrix, content, QUANTITIES[name].signed)), {})
        for name, block, values in measures.vectors(trace):
            say(f"{QUANTITIES[name].title.lower()}, block {block + 1}")
            pooled.setdefault(name, {})[block] = values.detach().float().cpu().numpy()
        eclip = measures.grad_eclip_gains(trace)
        bits, apart = measures.statistics(trace, model.info.preprocess.patch)
    exact = {name: _stacked(parts) for name, parts in pooled.items()}
    summary = Summary(
        branch=_branch(request),
        target=target,
        pooled=exact,
        shares={**gains(exact, content), "grad_eclip": eclip.float().cpu().numpy()},
        entropy=bits.float().cpu().numpy(),
        distance=apart.float().cpu().numpy(),
        row=row,
        content=content,
        grid=trace.grid,
        tokens=_tokens(request, model, target),
        score=float(trace.scores[0, 0].detach()),
        seconds=time.perf_counter() - started,
        note=unread(model.tokenizer, (target.text, target.minus), model.info.context),
    )
    # Last, so that whoever finds it finds the rest.
    store.put(_key(request, model.info, target, "summary"), *entry_of(summary))
    return summary


def _stacked(parts: Mapping[int, np.ndarray]) -> np.ndarray:
    return np.stack([parts[block] for block in sorted(parts)]).astype(np.float32)


def _record(request: Request, model: Model, target: Target, say: Callable[[str], None]) -> Trace:
    from engine.questions import image_question, text_question
    from engine.registry import ALL
    from engine.trace import record

    prepared = images.prepare(request.image, model.info.preprocess, request.resize)
    ask = image_question if request.branch == "image" else text_question
    question = ask(model, prepared, [target], request.resize)
    return record(
        question.encoder,
        question.inputs,
        question.queries,
        blocks=ALL,
        grads={"attn": ALL, "out": ALL},
        logit_scale=question.logit_scale,
        readout=lambda embedding: question.readout(embedding, slice(0, 1)),
        check=say,
    )


def _tokens(request: Request, model: Model, target: Target) -> tuple[str, ...]:
    if request.branch == "image":
        return ()
    from engine.words import tokens_of

    parts = tokens_of(model.tokenizer, target.text, model.info.context)
    return ("<start>", *(part.text for part in parts), "<end>")
