"""Ask for curves: store lookups, one batch after another for what is missing, store again.

Loads torch only where something has to be computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from engine.catalog import describe
from engine.curves.classes import check_classes
from engine.curves.pictures import as_picture, ground
from engine.curves.read import areas_of, curve_of
from engine.curves.types import CONTROLS, IMAGENET, CurveRequest, Curves, Protocol
from engine.explain import explain
from engine.explain import stored as stored_maps
from engine.specs import parse
from engine.store import Store, canonical, default_store
from engine.tiles import Tile, tiles_of
from engine.types import Explanation, Map, ModelInfo, Progress, Request, SidelightError, Target

if TYPE_CHECKING:
    from engine.models import Model

VERSION = 1  # of the computation; a new one makes every stored entry a miss


def with_controls(request: CurveRequest) -> Request:
    """The maps of a request, the controls last where they are wanted."""
    if request.maps.branch != "image":
        raise SidelightError("Curves are of images; set the branch to image.")
    specs = tuple(dict.fromkeys(str(parse(spec)) for spec in request.maps.specs))
    added = tuple(c for c in CONTROLS if request.controls and c not in specs)
    return replace(request.maps, specs=specs + added)


def question(request: CurveRequest) -> str:
    """Equal for requests that ask the same, whatever the image is called and however a spec is written."""
    maps = with_controls(request)
    named = {
        "image": maps.image.digest,
        "targets": [target.as_json() for target in maps.targets],
        "specs": list(maps.specs),
        "model": [maps.model, maps.pretrained],
        "resize": maps.resize,
        "device": maps.device,
        "protocol": asdict(request.protocol),
        "only": request.only,
    }
    return canonical(named)


def stored(request: CurveRequest, store: Store | None = None, info: ModelInfo | None = None) -> Curves:
    """What the store holds of a request; curves that it lacks are absent. Loads no torch.

    SidelightError for bad requests.
    """
    store, maps = store or default_store(), with_controls(request)
    if request.protocol.classes != IMAGENET:  # whose names only open_clip knows, which imports torch
        check_classes(request.protocol, request.targets)
    info = info or describe(maps.model, maps.pretrained)
    return _assembled(request, stored_maps(maps, store, info), store)


def areas(
    request: CurveRequest, store: Store | None = None, info: ModelInfo | None = None
) -> dict[tuple[str, str], tuple[float, float]]:
    """Areas under deletion and insertion, by canonical spec and target's label, of the curves that the store
    holds. Reads nothing else, so that a card may ask for it. Loads no torch."""
    store, maps = store or default_store(), with_controls(request)
    found = {}
    for tile in tiles_of(maps, info or describe(maps.model, maps.pretrained)):
        if tile.target in request.targets:
            entry = store.get(_key(tile, request.protocol, maps.targets))
            if entry is not None:
                found[str(tile.spec), tile.target.label] = areas_of(entry.arrays, request.protocol)
    return found


def missing(request: CurveRequest, store: Store | None = None, info: ModelInfo | None = None) -> int:
    """How many curves of a request are not in the store; errors as in `stored`."""
    found = stored(request, store, info)
    return len(found.specs) * len(found.targets) - len(found.curves) - len(found.failures)


def compute(
    request: CurveRequest,
    store: Store | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    loaded: Model | None = None,
) -> Curves:
    """All curves of a request: maps and curves from the store where they are, computed and stored where not.

    progress: called at every step, in inputs of the model. cancelled: asked at every step; raises Cancelled
    soon after it says True, and what was finished by then is in the store. loaded: as in engine.explain.
    """
    store, maps = store or default_store(), with_controls(request)
    check_classes(request.protocol, request.targets)
    explanation = explain(maps, store, progress, cancelled, loaded)
    lacking = [
        (tile, item)
        for tile, item in _tiles(request, explanation)
        if store.get(_key(tile, request.protocol, maps.targets)) is None
    ]
    if not lacking:
        return _assembled(request, explanation, store)
    from engine.curves.passes import computed
    from engine.models import load

    model = loaded or load(maps.model, maps.pretrained, maps.device)
    passes = 0
    for tile, arrays, made in computed(request, explanation, lacking, model, store, progress, cancelled):
        store.put(_key(tile, request.protocol, maps.targets), arrays, {})
        passes = made
    return replace(_assembled(request, explanation, store), passes=passes)


def _tiles(request: CurveRequest, explanation: Explanation) -> list[tuple[Tile, Map]]:
    """Every map that there is and whose curves are wanted, with its tile."""
    found = []
    for tile in tiles_of(with_controls(request), explanation.model):
        if tile.target not in request.targets:
            continue
        item = explanation.get(str(tile.spec), tile.target.label)
        if isinstance(item, Map):
            found.append((tile, item))
    return found


def _key(tile: Tile, protocol: Protocol, targets: Sequence[Target]) -> Mapping[str, Any]:
    """The store key of a map's curves: the map's own, and how they were made. All scores are in one entry."""
    how = dict(vars(protocol))
    del how["score"]
    if not protocol.classes:
        how["classes"] = [target.text for target in targets if target.kind == "text"]
    return {**tile.key, "curves": VERSION, "protocol": how}


def _assembled(request: CurveRequest, explanation: Explanation, store: Store) -> Curves:
    maps, protocol = with_controls(request), request.protocol
    place = ground(maps.image, explanation.model.preprocess, maps.resize, protocol)
    found = []
    for tile, item in _tiles(request, explanation):
        entry = store.get(_key(tile, protocol, maps.targets))
        if entry is not None:
            found.append(curve_of(item, entry.arrays, place, protocol))
    return Curves(
        image=maps.image,
        model=explanation.model,
        resize=maps.resize,
        protocol=protocol,
        targets=request.targets,
        specs=maps.specs,
        curves=tuple(found),
        failures=tuple(f for f in explanation.failures if request.only in ("", f.target)),
        base=as_picture(place.base),
        hidden=as_picture(place.hidden),
        revealed=as_picture(place.revealed),
        units=place.units,
    )
