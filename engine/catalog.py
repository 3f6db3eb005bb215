"""Which models there are, and what is known of each without loading it: names, preprocessing, weights
digests.

Loads no torch, so that stored maps are found before any model is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from engine.adapters import SUPPORTED, VOCABULARY, offers, patch, refusal, size
from engine.store import canonical, default_store
from engine.types import ModelInfo, Preprocess, SidelightError, Unsupported

BUNDLED = "bundled"
FOLDER = Path(__file__).parents[1] / "data" / "model"
LOCAL = Path(__file__).parents[1] / "data" / "models"  # where people drop models of their own
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Source:
    """Where a model comes from. config: open_clip's;  weights: its file, or None while a tag is not
    downloaded."""

    id: str
    name: str
    pretrained: str | None
    config: Mapping[str, Any]
    preprocess: Preprocess
    weights: Path | None


@cache
def _configs() -> dict[str, Path]:
    spec = importlib.util.find_spec("open_clip")
    folder = Path(spec.submodule_search_locations[0]) / "model_configs"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


@cache
def names() -> tuple[str, ...]:
    """Every model that can be asked for by name: the bundled one, then open_clip's that an adapter reads."""
    return (BUNDLED, *(n for n, p in _configs().items() if refusal(json.loads(p.read_text())) is None))


def local_files() -> dict[str, Path]:
    """Configs (.json) and weights that lie in the folder for models of one's own, by file name: the folder
    that SIDELIGHT_MODELS names, or data/models."""
    folder = Path(os.environ.get("SIDELIGHT_MODELS") or LOCAL)
    found = folder.iterdir() if folder.is_dir() else ()
    return {path.name: path for path in sorted(found) if path.is_file() and not path.name.startswith(".")}


def describe(model: str = BUNDLED, pretrained: str | None = None) -> ModelInfo:
    """What is known without loading. `digest` is empty while a tag has not been downloaded.

    model: 'bundled', an open_clip name, or a config .json; pretrained: a tag or a weights file. A file is a
    name among `local_files`, or a path.
    SidelightError for unknown names; Unsupported for architectures that no adapter reads.
    """
    source = locate(model, pretrained)
    weights = _file_digest(source.weights) if source.weights else ""
    info = ModelInfo(
        id=source.id,
        name=source.name,
        pretrained=source.pretrained,
        digest=weights if model == BUNDLED else _with_config(weights, source.config),
        weights=weights,
        preprocess=source.preprocess,
        context=source.config["text_cfg"].get("context_length", 77),
        offers=offers(source.config),
    )
    if model != BUNDLED:
        return info
    return replace(
        info,
        note="Trained by this project on composed emoji scenes, not on photographs.",
        known_words=frozenset(json.loads((FOLDER / "concepts.json").read_text(encoding="utf-8"))["words"]),
    )


def _with_config(weights: str, config: Mapping[str, Any]) -> str:
    """The digest of weights in an architecture: the same ones give other maps with quick_gelu, or other
    heads."""
    return hashlib.sha256(f"{weights} {canonical(config)}".encode()).hexdigest() if weights else ""


def locate(model: str, pretrained: str | None) -> Source:
    """Where a model's config and weights are; errors as in `describe`."""
    if model == BUNDLED:
        if pretrained:
            raise SidelightError("The bundled model has its own weights; leave the pretrained tag out.")
        return _source(BUNDLED, None, _read_config(FOLDER / "config.json"), FOLDER / "weights.safetensors")
    if model.endswith(".json"):
        config = _read_config(local_files().get(model, Path(model)))
    elif model in _configs():
        config = {"model_cfg": json.loads(_configs()[model].read_text())}
    else:
        raise SidelightError(
            f"There is no model {model[:80]!r}; give bundled, one of open_clip's names (python -m engine "
            "models lists them), or an open_clip config file ending in .json."
        )
    reason = refusal(config["model_cfg"])
    if reason:
        raise Unsupported(f"{model} cannot be explained yet: {reason}. Sidelight reads {SUPPORTED}.")
    if not pretrained:
        raise SidelightError(f"{model} needs weights; add a pretrained tag or a weights file.")
    weights = local_files().get(pretrained, Path(pretrained))
    if weights.is_file():
        return _source(model, pretrained, config, weights)
    if model.endswith(".json"):
        raise SidelightError(
            f"There is no weights file {pretrained!r}; a model from a config file needs one."
        )
    known = default_store().recall(tag_record(model, pretrained))
    if known and Path(known["path"]).is_file():
        return _source(model, pretrained, {**config, **known["config"]}, Path(known["path"]))
    return _source(model, pretrained, config, None)


def tag_record(model: str, tag: str) -> str:
    """Name of the store's record of where a downloaded tag lies."""
    return f"weights of {model}/{tag}"


def _read_config(path: Path) -> dict[str, Any]:
    """An open_clip config file, with or without its `model_cfg` level."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SidelightError(f"The model config {str(path)!r} cannot be read; check the path.") from None
    except (ValueError, RecursionError):
        config = None
    if isinstance(config, dict) and "model_cfg" not in config:
        config = {"model_cfg": config}
    if not _is_config(config):
        raise SidelightError(
            f"{path.name!r} is not an open_clip model config (JSON with embed_dim, vision_cfg and text_cfg)."
        )
    return config


def _is_config(config: Any) -> bool:
    """Whether what is read here of a config before its model is built is there, and can be meant."""
    match config:
        case {"model_cfg": {"vision_cfg": {**vision}, "text_cfg": {**text}}}:
            wanted = config.get("preprocess_cfg", {})
            sides, cell = size(vision), patch(vision)
            whole = (*sides, *cell, text.get("context_length", 77), text.get("vocab_size", VOCABULARY))
            return (
                isinstance(wanted, dict)
                and all(type(n) is int and n > 0 for n in whole)
                and all(part <= side for part, side in zip(cell, sides, strict=True))
                and all(_is_colour(wanted.get(name)) for name in ("mean", "std"))
                and wanted.get("interpolation") in (None, "bicubic", "bilinear")
            )
    return False


def _is_colour(value: Any) -> bool:
    """Whether it can be a mean or deviation: a positive number a channel, or nothing."""
    if not value:
        return True
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(isinstance(n, int | float) and n > 0 for n in value)
    )


def _source(model: str, pretrained: str | None, config: Mapping[str, Any], weights: Path | None) -> Source:
    vision, wanted = config["model_cfg"]["vision_cfg"], config.get("preprocess_cfg", {})
    preprocess = Preprocess(
        size=size(vision),
        patch=patch(vision)[0],
        mean=tuple(wanted.get("mean") or CLIP_MEAN),
        std=tuple(wanted.get("std") or CLIP_STD),
        interpolation=wanted.get("interpolation") or "bicubic",
    )
    name = Path(model).stem if model.endswith(".json") else model
    label = Path(pretrained).stem if pretrained and weights and "." in pretrained else pretrained
    return Source(
        id=f"{name}/{label}" if label else name,
        name=model,
        pretrained=pretrained,
        config=config["model_cfg"],
        preprocess=preprocess,
        weights=weights,
    )


def _file_digest(path: Path) -> str:
    """SHA-256 of a weights file, remembered by path, size and time, since large files take seconds to
    read."""
    stat = path.stat()
    record = f"digest of {path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    known = default_store().recall(record)
    if known is None:
        with path.open("rb") as file:
            known = {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        default_store().remember(record, known)
    return known["sha256"]


@cache
def _concepts() -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads((FOLDER / "concepts.json").read_text(encoding="utf-8"))["concepts"])


@cache
def concepts() -> tuple[str, ...]:
    """A prompt for each concept that the bundled model was trained on, in alphabetical order."""
    return tuple(sorted({concept["prompt"] for concept in _concepts()}, key=str.casefold))


@cache
def emotions() -> tuple[str, ...]:
    """A prompt for each emotion among these concepts, in the order of the file."""
    return tuple(concept["prompt"] for concept in _concepts() if "emotion" in concept)
