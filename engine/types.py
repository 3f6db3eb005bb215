"""What the engine hands out: frozen values of NumPy and plain Python, safe to show, send and store.

Nothing here imports torch, files or pages, so every other module may use it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Branch = Literal["image", "text"]
RESIZE_POLICIES = ("crop", "fit", "squash")
# What a tower can offer to methods. Transformers that pool one token offer all of it.
FEATURES = frozenset({"class token", "attention", "q, k, v", "transformer blocks", "gradients"})

PROMPTS_ONLY = "The text branch explains prompts; ensembles, differences, images and classes have no tokens."


class SidelightError(Exception):
    """One clear sentence for the person at the screen: what was wrong, and what to do."""


class Unsupported(SidelightError):
    """A model or a target lacks what a method needs; shown as a quiet card, not as an error."""


class Cancelled(SidelightError):
    """The person asked for the computation to stop."""


@dataclass(frozen=True)
class Image:
    """One picture as the engine uses it, after EXIF transposition and conversion to RGB.

    pixels: uint8 (height, width, 3). digest: hex SHA-256 of size and RGB bytes.
    name: file stem or label, for people only. notes: sentences such as "First frame of 12".
    """

    pixels: np.ndarray = field(compare=False)  # the digest stands for them
    digest: str
    name: str = "image"
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class Preprocess:
    """How a model wants its pixels. size: (height, width) in pixels; patch: side of a patch in pixels;
    mean, std: per RGB channel on the 0..1 scale; interpolation: 'bicubic' or 'bilinear'."""

    size: tuple[int, int]
    patch: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"

    def as_json(self) -> dict[str, Any]:
        return {
            "size": list(self.size),
            "patch": self.patch,
            "mean": list(self.mean),
            "std": list(self.std),
            "interpolation": self.interpolation,
        }


@dataclass(frozen=True)
class Prepared:
    """What the model sees of an image. pixels: float32 (3, height, width), normalised.
    seen: (left, top, right, bottom) of the seen region in pixels of the original image.
    grid: (rows, columns) of patches."""

    pixels: np.ndarray
    seen: tuple[float, float, float, float]
    grid: tuple[int, int]


@dataclass(frozen=True)
class ModelInfo:
    """What can be said of a model without loading it.

    id: name to show and to key by, e.g. 'bundled' or 'ViT-B-16/openai'. digest: hex SHA-256 of all that
    makes its maps: the weights, and the config where that is not our own. weights: hex SHA-256 of the file.
    known_words: lower-case words the model was trained on, or None when it is an open vocabulary.
    offers: what its image tower has of FEATURES; a method that requires more is refused. The text
    tower has all.
    """

    id: str
    name: str
    pretrained: str | None
    digest: str
    preprocess: Preprocess
    context: int
    note: str = ""
    known_words: frozenset[str] | None = None
    offers: frozenset[str] = FEATURES
    weights: str = ""


@dataclass(frozen=True)
class Target:
    """What a map is asked to explain.

    kind: 'text' (a prompt), 'ensemble' (`text` in each of CLIP's 80 ImageNet templates, their unit mean),
    'difference' (text minus `minus`), 'image' (another image, `image`), 'class' (softmax probability of
    `text` among `classes`). label: what is written above the row, and what tells the targets of one request
    apart.
    """

    text: str = ""
    kind: Literal["text", "ensemble", "difference", "image", "class"] = "text"
    minus: str = ""
    image: Image | None = None
    classes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        if self.kind == "ensemble":
            return f"{self.text} in templates"
        if self.kind == "difference":
            return f"{self.text} \N{MINUS SIGN} {self.minus}"
        if self.kind == "image" and self.image is not None:
            return f"image {self.image.name} {self.image.digest[:6]}"
        if self.kind == "class":
            return f"{self.text} among {len(self.classes)}"
        return self.text

    @property
    def is_constant(self) -> bool:
        """Whether every image has the same score: a text less itself, a class alone."""
        return (self.kind == "difference" and self.text == self.minus) or len(self.classes) == 1

    def as_json(self) -> dict[str, Any]:
        """The part of the store key that names the target."""
        value: dict[str, Any] = {"kind": self.kind, "text": self.text}
        if self.kind == "difference":
            value["minus"] = self.minus
        if self.kind == "image" and self.image is not None:
            value["image"] = self.image.digest
        if self.kind == "class":
            value["classes"] = list(self.classes)
        return value


@dataclass(frozen=True)
class Request:
    """What is asked of one image. specs: method specs as typed; branch: 'image', 'text' or 'both' (a method
    that lacks a branch is left out of it). model, pretrained, device: see engine.catalog."""

    image: Image
    targets: tuple[Target, ...]
    specs: tuple[str, ...]
    model: str = "bundled"
    pretrained: str | None = None
    resize: str = "crop"
    branch: str = "image"
    device: str = "auto"


@dataclass(frozen=True)
class Progress:
    """done of total maps; stage: what is happening, in words."""

    done: int
    total: int
    stage: str


@dataclass(frozen=True)
class Map:
    """Raw relevance of one method for one image and one target: before resizing, scaling and colour.

    spec: canonical method spec. values: float32, finite; image branch (rows, columns) of patches, or (height,
    width) of model input pixels for methods that say so; text branch (context,) one value a token.
    score: cosine of the unmodified model. explained_score: cosine in the forward pass the method read.
    seconds: wall time spent on this method when it was computed. note: one sentence where something is
    special.
    content: text branch, bool (context,), which tokens are words of the prompt. tokens: their texts.
    spans: per token (start, end) character offsets in the prompt, (0, 0) outside the words.
    """

    spec: str
    branch: Branch
    target: str
    values: np.ndarray
    score: float
    explained_score: float
    seconds: float = 0.0
    note: str = ""
    content: np.ndarray | None = None
    tokens: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Failure:
    """A method that gave no map, and the one sentence that says why."""

    spec: str
    branch: Branch
    target: str
    reason: str
    unsupported: bool = False


@dataclass(frozen=True)
class Explanation:
    """All that was asked about one image: a map or a failure for every branch, target and spec.

    seen, grid: see Prepared. computed: how many maps were not in the store.
    """

    image: Image
    model: ModelInfo
    resize: str
    targets: tuple[Target, ...]
    specs: tuple[str, ...]
    seen: tuple[float, float, float, float]
    grid: tuple[int, int]
    maps: tuple[Map, ...]
    failures: tuple[Failure, ...] = ()
    computed: int = 0

    def get(self, spec: str, target: str, branch: Branch = "image") -> Map | Failure | None:
        """The map or failure of one tile, or None if it was not asked for."""
        for item in (*self.maps, *self.failures):
            if (item.spec, item.target, item.branch) == (spec, target, branch):
                return item
        return None
