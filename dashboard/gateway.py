"""The only caller of the engine: what the pages may ask, in terms of the session's state.

Everything here returns frozen values or bytes and raises `SidelightError` with one clear sentence. Torch is
never imported by a page: stored maps are read without it, the others are computed by the engine's worker.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from contourpy import contour_generator
from PIL import Image as Pillow

from dashboard.choices import State
from dashboard.components.grid import Outline
from dashboard.links import Vocabulary
from dashboard.uploads import Uploads
from engine.types import Branch, Explanation, Failure, Image, Map, ModelInfo, Request, SidelightError, Target

if TYPE_CHECKING:
    from engine.datasets import ImageSet, Item
    from engine.jobs import Job, Jobs
    from engine.layers import Computed, Quantity, Rows, Share, Summary
    from engine.objects import ObjectBox
    from engine.phrases import Weight, Word
    from engine.registry import Method
    from engine.scores import Scores

log = logging.getLogger(__name__)
SHOWN_PROMPTS = 2  # of the image's own, as long as the person typed none
ROOT = Path(__file__).resolve().parents[1]
WARM_UP_AFTER = 1.5  # seconds; importing torch takes the processor from the first drawing
MASK_SIDE = 128  # pixels of the longer side of a mask, when its outline is traced
COUNTER_PROMPTS = ("a bicycle", "a pineapple")
MEANINGLESS = "lorem ipsum dolor"
ANY_PROMPTS = ("a dog", "a cat")  # for an image that brings none
SOON = 0.8  # seconds
DIMMED = 0.35  # brightness of what the model does not see
COMPOSED = ("scenes", "pairs", "emotions", "counter")  # like what the bundled model was trained on


# What is here to look at


@st.cache_resource(ttl=5, show_spinner=False)  # seconds; a page asks many times, and a large tree takes long
def sets() -> tuple[ImageSet, ...]:
    """The image sets, a folder that was just dropped in included."""
    from engine import datasets

    return tuple(datasets.sets())


def image_set(name: str) -> ImageSet:
    """The set of that name; SidelightError names those that are there."""
    from engine import datasets

    return next((s for s in sets() if s.name == name), None) or datasets.find(name)


def item(state: State) -> Item | None:
    """The set's item that is looked at; None for an upload."""
    if state.upload:
        return None
    found = _item(state, image_set(state.image_set).items)
    if found is None:
        raise SidelightError(f"The image set {state.image_set} has no images; choose another one.")
    return found


def _item(state: State, items: tuple[Item, ...]) -> Item | None:
    return next((i for i in items if i.id == state.image), items[0] if items else None)


def image(state: State) -> Image:
    """The image that is looked at."""
    found = item(state)
    return _uploaded(state.upload) if found is None else _read(found.path, _changed(found.path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _read(path: Path, _changed: int) -> Image:
    from engine import images

    return images.load(path)


@st.cache_resource(max_entries=8, show_spinner=False)
def _uploaded(digest: str) -> Image:
    from engine import images

    data = uploads().get(digest)
    if data is None:
        raise SidelightError("The uploaded image is not on this server; upload the file again.")
    return images.load(data, "upload")


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # reading it will say what is wrong


def thumbnail(path: Path, side: int) -> bytes:
    """A JPEG of an image file, `side` pixels on its longer side; a grey one where it cannot be read."""
    return _thumbnail(path, side, _changed(path))


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(path: Path, side: int, _changed: int) -> bytes:
    from engine import images

    try:
        return images.thumbnail(images.load(path), side)
    except SidelightError:  # opening the image says why
        return _jpeg(np.full((side, side, 3), 128, np.uint8))


def preview(state: State, side: int) -> bytes:
    """A JPEG of the image that is looked at, dimmed where the model does not see it."""
    from engine import images

    shown, info = image(state), described(state)
    return _preview(shown, images.geometry(shown.size, info.preprocess, state.resize).seen, side)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs={Image: lambda i: i.digest})
def _preview(shown: Image, seen: tuple[float, float, float, float], side: int) -> bytes:
    left, top, right, bottom = (round(edge) for edge in seen)
    light = np.full(shown.pixels.shape[:2], DIMMED, np.float32)
    light[max(top, 0) : bottom, max(left, 0) : right] = 1
    small = Pillow.fromarray((shown.pixels * light[:, :, None]).astype(np.uint8))
    small.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    return _jpeg(np.asarray(small))


def _jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", quality=88)
    return out.getvalue()


# Prompts


def own_prompts(state: State) -> tuple[str, ...]:
    """The prompts that the image brings: none for an upload, or where there is no image."""
    if state.upload:
        return ()
    found = _item(state, next((s.items for s in sets() if s.name == state.image_set), ()))
    return found.prompts if found else ()


def prompts(state: State) -> tuple[str, ...]:
    """The prompts in effect: the person's, or else the first ones of the image."""
    return state.prompts or own_prompts(state)[:SHOWN_PROMPTS] or ANY_PROMPTS


def concepts() -> tuple[str, ...]:
    """Prompts that the bundled model was trained on, in alphabetical order."""
    from engine import catalog

    return catalog.concepts()


def photo_note(state: State) -> tuple[str, ...]:
    """One sentence where the model was not trained on images like the one that is looked at."""
    note = described(state).note
    return (note,) if note and (state.upload or state.image_set not in COMPOSED) else ()


def unknown_words(state: State, used: tuple[str, ...]) -> tuple[str, ...]:
    """The words of prompts that the model was never trained on; none for an open vocabulary."""
    known = described(state).known_words
    if known is None:
        return ()
    words = dict.fromkeys(word for prompt in used for word in re.findall(r"\w+", prompt.lower()))
    return tuple(word for word in words if word not in known)


# Methods and models


def methods() -> Mapping[str, Method]:
    """The registered methods by name."""
    import engine.methods  # noqa: F401  registers them
    from engine.registry import METHODS

    return METHODS


def canonical(spec: str) -> str:
    """The canonical text of a method spec; SidelightError says what is valid."""
    from engine import specs

    return str(specs.parse(spec))


def signed(spec: str, sign: str) -> str:
    """The spec for evidence of a sign, where its method takes it and the spec does not name one itself.

    sign: 'default' leaves each method as it is defined.
    """
    from engine import specs

    parsed = specs.parse(spec)
    takes = next((p for p in parsed.method.parameters if p.name == "sign"), None)
    params = dict(parsed.params)
    if takes is None or sign not in takes.choices or params["sign"] != takes.default:
        return str(parsed)
    return str(replace(parsed, params=tuple(sorted({**params, "sign": sign}.items()))))


def models() -> tuple[str, ...]:
    """The names of the models that can be explained."""
    from engine import catalog

    return catalog.names()


def tags(model: str) -> tuple[str, ...]:
    """The known tags of a model: none before open_clip is loaded, which takes seconds."""
    if "open_clip" not in sys.modules or model not in models():
        return ()
    from engine import models as loader

    return loader.tags(model)


def describe(model: str, pretrained: str = "") -> ModelInfo:
    """What is known of a model without loading it; SidelightError where there is none such."""
    from engine import catalog

    return catalog.describe(model, pretrained or None)


def described(state: State) -> ModelInfo:
    return describe(state.model, state.pretrained)


# Explanations


def request(state: State) -> Request:
    """What the state asks of its image."""
    return Request(
        image=image(state),
        targets=tuple(Target(text) for text in prompts(state)),
        specs=tuple(dict.fromkeys(signed(spec, state.sign) for spec in state.methods)),
        model=state.model,
        pretrained=state.pretrained or None,
        resize=state.resize,
    )


def explanation(state: State) -> tuple[Explanation, Job | None]:
    """What is known about the state's image, and the job that computes what is missing.

    For a second model, another image or other prompts ask with `replace(state, ...)`. A job that ended
    without all maps is handed out too, so that the page can say why; `again` starts it over.
    """
    return maps(state, request(state).targets)


def maps(state: State, targets: Sequence[Target]) -> tuple[Explanation, Job | None]:
    """The same for any targets of the state's image."""
    return _explained(replace(request(state), targets=tuple(targets)))


def _explained(asked: Request) -> tuple[Explanation, Job | None]:
    from engine import stored

    found = stored(asked)
    if _whole(found, asked.branch):
        return found, None
    job = jobs().submit(asked)
    if job.state == "done":
        found = replace(stored(asked), failures=job.result.failures)
    return found, None if _whole(found, asked.branch) else job


def _whole(found: Explanation, branch: Branch) -> bool:
    held = {(m.spec, m.target) for m in (*found.maps, *found.failures) if m.branch == branch}
    return all((spec, t.label) in held for spec in found.specs for t in found.targets)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The one queue of this server."""
    from engine.jobs import Jobs

    return Jobs(_answer, lane=_lane)


def _lane(asked: Request) -> str:
    """The device; for a model that must be downloaded first its name, so that nobody waits for a download."""
    info = describe(asked.model, asked.pretrained or "")
    return asked.device if info.digest else f"download of {info.id}"


def _answer(asked: Request, **how: Any) -> Explanation | Computed | Scores:
    """What a worker does: the maps of a request; or, where it names no method, the layers of its branch, or
    the scores alone where it names both."""
    from engine import explain, layers, scores

    if asked.specs:
        return explain(asked, **how)
    return (scores if asked.branch == "both" else layers).compute(asked, **how)


def cancel(job: Job) -> None:
    jobs().cancel(job.id)


def again(job: Job) -> None:
    """Start a job over that failed or was cancelled."""
    jobs().submit(job.request, again=True)


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Load torch and the bundled model in the background, once, so that the next new prompt does not wait."""

    def load() -> None:
        from engine import models as loader

        try:
            loader.load()
        except SidelightError as error:  # whoever asks for a map is told
            log.warning("%s", error)

    waiting = threading.Timer(WARM_UP_AFTER, load)
    waiting.daemon = True
    waiting.start()


# For the grid


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs={Image: lambda i: i.digest})
def picture(shown: Image, side: int) -> bytes:
    """A JPEG of a whole image, at most `side` pixels on its longer side."""
    from engine import images

    return images.thumbnail(shown, side)


def outlines(state: State) -> tuple[Outline, ...]:
    """The true regions of the state's image, where its set has some."""
    found = item(state)
    return _outlines(found.objects) if found else ()


@lru_cache(maxsize=256)
def _outlines(objects: tuple[ObjectBox, ...]) -> tuple[Outline, ...]:
    made = []
    for thing in objects:
        if thing.mask is not None:
            made.append(Outline(thing.name, _around(thing.mask)))
        elif thing.bbox is not None:
            x, y, w, h = thing.bbox
            corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]
            made.append(Outline(thing.name, (np.array(corners, float),)))
    return tuple(made)


def _around(mask: Path) -> tuple[np.ndarray, ...]:
    """Lines around the white regions of a mask file, (points, 2) each, in its pixels."""
    with Pillow.open(mask) as file:
        width, height = file.size
        small = file.convert("L")
    small.thumbnail((MASK_SIDE, MASK_SIDE), Pillow.Resampling.BOX)
    grid = np.pad(np.asarray(small, float), 1)  # so that a region at the border is closed
    scale = np.array([width / small.width, height / small.height])
    return tuple((line - 0.5) * scale for line in contour_generator(z=grid).lines(127.5))


def contrast(state: State) -> tuple[str, str]:
    """A prompt for something that is not in the state's image, and one that means nothing."""
    found = item(state)
    here = {thing.name for thing in found.objects} if found else set()
    here |= {prompt for prompt in (*prompts(state), *own_prompts(state))}
    others = [p for i in image_set(state.image_set).items for p in i.prompts] if found else []
    absent = (p for p in (*others, *COUNTER_PROMPTS) if not any(h in p or p in h for h in here))
    return next(absent, COUNTER_PROMPTS[-1]), MEANINGLESS


def file_name(state: State) -> str:
    """The image's file as a command would name it, from the folder of the checkout."""
    found = item(state)
    if found is None:
        return f"{image(state).name}.png"
    return str(found.path.relative_to(ROOT)) if found.path.is_relative_to(ROOT) else str(found.path)


def gini(values: np.ndarray) -> float:
    """Sparsity of a map."""
    from engine.metrics import agreement

    return agreement.gini(values)


def specificity(values: np.ndarray, against: np.ndarray) -> float | None:
    """1 - Spearman of two prompts' maps: 0 where they are the same; None where one has no ranking."""
    from engine.metrics import agreement

    value = 1 - float(agreement.spearman(np.stack([values.ravel(), against.ravel()]))[0, 1])
    return None if np.isnan(value) else value


def agreement(maps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rank correlation and overlap of the strongest patches (n, n) of maps of one size."""
    from engine.metrics import agreement

    rows = np.stack([values.ravel() for values in maps])
    return agreement.spearman(rows), agreement.top_overlap(rows)


def rank_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where `a` ranks a patch higher than `b` does (positive) or lower, as a share of the patches."""
    from engine.metrics import agreement

    return agreement.rank_difference(a, b)


# Layers


def quantities(tower: str) -> tuple[Quantity, ...]:
    """What can be looked at in the layers of a tower."""
    from engine import layers

    return layers.quantities(tower)


def shares() -> Mapping[str, Share]:
    """How a method's map divides among the layers: definitions by name."""
    from engine import layers

    return layers.SHARES


def other_images(state: State) -> tuple[str, ...]:
    """The ids of the set's images that may be a target beside the one that is looked at."""
    here = item(state)
    return () if here is None else tuple(i.id for i in image_set(state.image_set).items if i.id != here.id)


def target(state: State, name: str) -> Target:
    """A target by its name in the state: a prompt, or `image:` and an id; '' or anything unknown is the first
    prompt."""
    known = other_images(state) if state.tower == "image" and name not in prompts(state) else ()
    if name.startswith("image:") and name.removeprefix("image:") in known:
        other = replace(state, image=name.removeprefix("image:"))
        return Target(kind="image", image=image(other))
    return Target(name if name in prompts(state) else prompts(state)[0])


def layers_of(state: State, of: Target) -> tuple[Summary | None, Job | None]:
    """What is known of all layers of the state's tower, or the job that computes it."""
    from engine import layers

    asked = _layers_request(state, of)
    (found,) = layers.stored(asked)
    if found is not None:
        return found, None
    job = jobs().submit(asked)
    if "torch" in sys.modules:
        _wait(job)
    return (None, job) if job.state != "done" else (layers.stored(asked)[0], job)


def _wait(job: Job) -> None:
    """Give a job the moment that it takes with a loaded model, rather than draw the page twice."""
    end = time.monotonic() + SOON
    while job.state in ("queued", "running") and time.monotonic() < end:
        time.sleep(0.01)


def layer_rows(state: State, of: Target, quantity: str, blocks: Sequence[int]) -> dict[int, Rows]:
    """The rows of every source, for a quantity that has them; blocks count from 0."""
    from engine import layers

    return layers.rows(_layers_request(state, of), of, quantity, blocks)


def _layers_request(state: State, of: Target) -> Request:
    return replace(request(state), targets=(of,), specs=(), branch=state.tower)


# Words


def words_in(prompt: str) -> tuple[Word, ...]:
    """The words of a prompt, punctuation as words of its own."""
    from engine import phrases

    return phrases.words_in(prompt)


def phrase(prompt: str, words: Sequence[Word]) -> str:
    """Neighbouring words as they stand in the prompt."""
    from engine import phrases

    return phrases.phrase(prompt, words)


def word_target(prompt: str, words: Sequence[Word], kind: str) -> Target:
    """What a map of neighbouring words explains: 'difference', 'alone' or 'whole', see the state."""
    from engine import phrases

    if kind == "difference":
        return Target(prompt, kind="difference", minus=phrases.without(prompt, words))
    return Target(prompt if kind == "whole" else phrases.phrase(prompt, words))


def weighing_methods() -> Mapping[str, Method]:
    """The methods that weigh the tokens of a prompt; leaving one out is a measure of its own."""
    return {n: m for n, m in methods().items() if "text" in m.branches and n != "leave_one_out"}


def token_weights(state: State, prompt: str) -> tuple[Map | Failure | None, Job | None]:
    """The prompt's tokens by the state's method for text, or the job that weighs them."""
    spec = signed(state.text_method, state.sign)
    asked = replace(request(state), targets=(Target(prompt),), specs=(spec,), branch="text")
    found, job = _explained(asked)
    return found.get(spec, prompt, "text"), job


def read_part(state: State, prompt: str, tokens: Map | Failure | None) -> str | None:
    """What of a prompt the model reads; None where that is not known before its tokens are."""
    from engine import phrases

    if phrases.surely_read(prompt, described(state).context):
        return prompt
    return phrases.read_part(prompt, tokens) if isinstance(tokens, Map) else None


def merged(words: Sequence[Word], tokens: Map) -> tuple[Weight, ...]:
    """Token weights summed within words."""
    from engine import phrases

    return phrases.merged(words, tokens)


def outside_share(tokens: Map) -> tuple[float, float]:
    """Shares of the start and the end token in all weight."""
    from engine import phrases

    return phrases.outside(tokens)


def scores(state: State, targets: Sequence[Target]) -> tuple[Mapping[str, float], Job | None]:
    """The model's score of the state's image and each target, by label, or the job that computes them."""
    from engine import scores as engine_scores

    asked = replace(request(state), targets=tuple(targets), specs=(), branch="both")
    found = engine_scores.stored(asked).values
    if all(target.label in found for target in targets):
        return found, None
    job = jobs().submit(asked)
    return (job.result.values, None) if job.state == "done" else (found, job)


def share_inside(values: np.ndarray, region: np.ndarray) -> float | None:
    """Share of a map's positive mass inside a region, bool of its shape; None where it has none."""
    from engine.metrics import localisation

    share = localisation.energy(values, region)
    return None if np.isnan(share) else share


def seen(state: State) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of what the model sees, in pixels of the image."""
    from engine import images

    return images.geometry(image(state).size, described(state).preprocess, state.resize).seen


def figure(found: Sequence[Explanation], state: State) -> bytes:
    """The grid as a PNG at print resolution, drawn as the state says."""
    from engine import render

    known = methods()
    specs = dict.fromkeys(spec for one in found for spec in one.specs)
    signed = {m.spec for one in found for m in one.maps if m.values.min() < 0}
    return render.figure_png(
        found,
        titles={s: " ".join(filter(None, (known[_method(s)].title, s[len(_method(s)) :]))) for s in specs},
        signed=[spec for spec in signed if known[_method(spec)].signed],
        scale_mode=state.scale,
        contour=state.contour,
        **{name: getattr(state, name) for name in ("draw", "colormap", "opacity", "smooth", "top", "above")},
    )


def _method(spec: str) -> str:
    return spec.partition("(")[0]


def raw_maps(found: Sequence[Explanation]) -> bytes:
    """A zip with the raw maps of each explanation as npz, as `python -m engine explain` writes them."""
    from engine.cli import write

    names = write.file_names([f"{one.image.name} {one.model.name}.npz" for one in found])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for one, name in zip(found, names, strict=True):
            with archive.open(f"{Path(name).name}.npz", "w") as file:
                np.savez_compressed(file, **write.arrays(one))
    return out.getvalue()


# Uploads and the store


@st.cache_resource(show_spinner=False)
def uploads() -> Uploads:
    from engine.store import default_store

    return Uploads(default_store().folder / "uploads")


def keep_upload(data: bytes, name: str) -> str:
    """Keep a file that was uploaded; the digest of its image. SidelightError where it is no image."""
    from engine import images

    digest = images.load(data, name).digest
    uploads().keep(digest, data)
    return digest


def upload(digest: str) -> bytes | None:
    """The bytes of an uploaded file."""
    return uploads().get(digest)


def forget(digest: str) -> int:
    """Remove an upload and all maps of it; how many maps there were."""
    from engine.store import default_store

    uploads().forget(digest)
    _uploaded.clear(digest)
    return default_store().forget(digest)


def store_problem() -> str:
    """One sentence when maps cannot be kept on disk, or ''."""
    from engine.store import default_store

    return default_store().problem


def vocabulary() -> Vocabulary:
    """What a link may name on this server."""
    from engine import render

    return Vocabulary(
        sets={s.name: tuple(i.id for i in s.items) for s in sets()},
        colormaps=tuple(render.COLORMAPS),
        spec=canonical,
        model=describe,
        upload=uploads().has,
    )
