"""Ask for maps: store lookups, one recording for what is missing, store again.

Everything that the store holds is answered without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import images
from engine.catalog import describe
from engine.specs import parse
from engine.store import Store, default_store
from engine.tiles import Tile, entry_of, map_of, refusal_of, tiles_of
from engine.types import (
    Branch,
    Cancelled,
    Explanation,
    Failure,
    Map,
    ModelInfo,
    Prepared,
    Progress,
    Request,
    Target,
)

if TYPE_CHECKING:
    from engine.compute import Refused, Relevance
    from engine.models import Model


def stored(request: Request, store: Store | None = None, info: ModelInfo | None = None) -> Explanation:
    """What the store holds of a request; maps that it lacks are absent, and those of methods that the model
    cannot support are failures. Loads no torch.

    SidelightError for bad specs, models, policies and prompts.
    """
    return _lookup(request, store or default_store(), info or describe(request.model, request.pretrained))[0]


def missing(request: Request, store: Store | None = None, info: ModelInfo | None = None) -> int:
    """How many maps of a request are not in the store."""
    return len(
        _lookup(request, store or default_store(), info or describe(request.model, request.pretrained))[1]
    )


def keys(request: Request) -> list[Mapping[str, Any]]:
    """The store keys of a request's maps."""
    info = describe(request.model, request.pretrained)
    return [tile.key for tile in tiles_of(request, info)]


def explain(
    request: Request,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    loaded: Model | None = None,
) -> Explanation:
    """All maps of a request, from the store where they are, computed and stored where not.

    progress: called at every step. cancelled: asked at every step; raises Cancelled soon after it says True,
    and what was computed by then is in the store. loaded: a model in memory (engine.models.wrap) instead of
    the request's. A method that fails is a Failure among the others' maps.
    """
    store = store or default_store()
    info = loaded.info if loaded else describe(request.model, request.pretrained)
    found, lacking = _lookup(request, store, info)
    if not lacking:
        return found
    total, done = len(lacking), 0

    def say(stage: str) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The computation was cancelled; what was finished is kept.")
        if progress is not None:
            progress(Progress(done, total, stage))

    from engine.models import load

    model = loaded or load(request.model, request.pretrained, request.device, say)
    if model.info.digest != info.digest:  # the weights came with this call
        info = model.info
        found, lacking = _lookup(request, store, info)
    maps, failures = list(found.maps), list(found.failures)
    for tile, result in _computed(request, model, lacking, say):
        done += 1
        if isinstance(result, Failure):
            failures.append(result)
            continue
        store.put(tile.key, *entry_of(result))
        maps.append(result)
    return replace(found, maps=_in_order(request, maps), failures=tuple(failures), computed=done)


def _lookup(request: Request, store: Store, info: ModelInfo) -> tuple[Explanation, list[Tile]]:
    tiles = tiles_of(request, info)
    maps, lacking, failures = [], [], []
    for tile in tiles:
        if refusal := refusal_of(tile, info):
            failures.append(
                Failure(str(tile.spec), tile.branch, tile.target.label, refusal, unsupported=True)
            )
            continue
        entry = store.get(tile.key) if info.digest else None
        if entry is None:
            lacking.append(tile)
        else:
            maps.append(map_of(tile, entry.arrays, entry.meta))
    geometry = images.geometry(request.image.size, info.preprocess, request.resize)
    found = Explanation(
        image=request.image,
        model=info,
        resize=request.resize,
        targets=request.targets,
        specs=tuple(dict.fromkeys(str(tile.spec) for tile in tiles)),
        seen=geometry.seen,
        grid=geometry.grid,
        maps=tuple(maps),
        failures=tuple(failures),
    )
    return found, lacking


def _in_order(request: Request, maps: list[Map]) -> tuple[Map, ...]:
    specs = {str(parse(text)): n for n, text in enumerate(request.specs)}
    labels = {target.label: n for n, target in enumerate(request.targets)}
    return tuple(sorted(maps, key=lambda m: (m.branch, specs[m.spec], labels[m.target])))


def _computed(
    request: Request, model: Model, lacking: list[Tile], say: Callable[[str], None]
) -> Iterator[tuple[Tile, Map | Failure]]:
    """Every lacking tile with its map or failure, as they are computed."""
    from engine.compute import Refused, relevances
    from engine.precision import exact_float32
    from engine.questions import image_question, text_question

    prepared = images.prepare(request.image, model.info.preprocess, request.resize)
    for branch in dict.fromkeys(tile.branch for tile in lacking):
        tiles = [tile for tile in lacking if tile.branch == branch]
        specs = list({str(tile.spec): tile.spec for tile in tiles}.values())
        mixing = any(spec.mixes_prompts() for spec in specs)
        wanted = {tile.target.label for tile in tiles}
        targets = [t for t in dict.fromkeys(request.targets) if mixing or t.label in wanted]
        with model.lock, exact_float32():
            if branch == "image":
                question = image_question(model, prepared, targets, request.resize, say)
            else:
                question = text_question(model, prepared, targets, request.resize)
            for result in relevances(question, specs, say):
                for tile, index in _answered(tiles, targets, result, branch):
                    if isinstance(result, Refused):
                        failure = Failure(
                            str(tile.spec), branch, tile.target.label, result.reason, result.unsupported
                        )
                        yield tile, failure
                    else:
                        yield tile, _finished(tile, model, prepared, result, index)


def _answered(
    tiles: list[Tile], targets: list[Target], result: Relevance | Refused, branch: Branch
) -> Iterator[tuple[Tile, int]]:
    """The tiles that a result answers, each with its target's index. In the text branch prompts are the
    inputs."""
    places = {target.label: n for n, target in enumerate(targets)}
    for tile in tiles:
        index = places[tile.target.label]
        covered = branch == "text" or result.targets.start <= index < result.targets.stop
        if str(tile.spec) == str(result.spec) and covered:
            yield tile, index


def _finished(tile: Tile, model: Model, prepared: Prepared, result: Relevance, index: int) -> Map:
    from engine.words import tokens_of, unread

    seconds = result.seconds / max(1, result.values.shape[0] * result.values.shape[1])
    if tile.branch == "image":
        place = index - result.targets.start
        row = result.values[place, 0].numpy()
        explained, score = result.explained[0, place], result.score[0, place]
        values = row if row.ndim == 2 else row[-prepared.grid[0] * prepared.grid[1] :].reshape(prepared.grid)
        content, tokens, spans = None, (), ()
    else:
        values, explained, score = (
            result.values[0, index].numpy(),
            result.explained[index, 0],
            result.score[index, 0],
        )
        parts = tokens_of(model.tokenizer, tile.target.text, model.info.context)
        content = np.zeros(len(values), bool)
        content[1 : 1 + len(parts)] = True
        pad = len(values) - len(parts) - 2
        tokens = ("<start>", *(p.text for p in parts), "<end>", *[""] * pad)
        spans = ((0, 0), *(p.span for p in parts), (0, 0), *[(0, 0)] * pad)
    shown = values if content is None else values[content]
    read = unread(model.tokenizer, (tile.target.text, tile.target.minus), model.info.context)
    notes = (_note(shown, tile, float(explained)), read)
    return Map(
        spec=str(tile.spec),
        branch=tile.branch,
        target=tile.target.label,
        values=np.ascontiguousarray(values, np.float32),
        score=float(score),
        explained_score=float(explained),
        seconds=seconds,
        note=" ".join(sentence for sentence in notes if sentence),
        content=content,
        tokens=tokens,
        spans=spans,
    )


def _note(values: np.ndarray, tile: Tile, explained: float) -> str:
    if not values.size:
        return "The prompt has no words to weigh."
    image = tile.target.image
    if not values.any() and tile.target.is_constant:
        return "Zero everywhere: the score is the same for every image."
    if not values.any() and image is not None and image.digest == tile.key["image"]:
        return "Zero everywhere: an image is its own best match, so no small change raises the score."
    if not values.any() and explained <= 0 and dict(tile.spec.params).get("score") == "negative log":
        return f"Zero everywhere: the score is {explained:.3f}, and only a score above zero has a logarithm."
    if not values.any():
        return "Zero everywhere: nothing in it has the sign that was asked for."
    same = values.size > 1 and values.min() == values.max()
    return "The same everywhere: it prefers no place." if same else ""
