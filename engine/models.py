"""From a name to a loaded model: the bundled CLIP, open_clip's models by tag or file, or a model in memory.

`describe` answers without torch, so that stored maps are found before any model is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.adapters import SUPPORTED, refusal
from engine.store import default_store
from engine.types import ModelInfo, Preprocess, SidelightError, Unsupported

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.trace import Encoder

BUNDLED = "bundled"
FOLDER = Path(__file__).parents[1] / "data" / "model"
KEEP = 3  # loaded models kept in memory; the least recently used goes first
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model. lock: held around every forward pass."""

    info: ModelInfo
    clip: nn.Module
    image: Encoder
    text: Encoder
    tokenizer: Any
    device: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    _texts: dict[str, Tensor] = field(default_factory=dict)

    @property
    def logit_scale(self) -> float:
        """exp of the learned log scale: 100 for OpenAI's models."""
        return float(self.clip.logit_scale.detach().exp())

    def pixels(self, prepared: Sequence[Any]) -> Tensor:
        """Prepared images of one size as a batch [b 3 height width] on the model's device."""
        import numpy as np
        import torch

        return torch.as_tensor(np.stack([p.pixels for p in prepared]), device=self.device)

    def token_ids(self, texts: Sequence[str]) -> Tensor:
        """[p context], start and end of text included; longer texts are cut as open_clip cuts them."""
        return self.tokenizer(list(texts)).to(self.device)

    def embed_texts(self, texts: Sequence[str], batch: int = 256) -> Tensor:
        """Unit embeddings [p e] of the model as it is; each text is encoded once in the model's life."""
        import torch

        new = [t for t in dict.fromkeys(texts) if t not in self._texts]
        with self.lock, torch.no_grad():
            for start in range(0, len(new), batch):
                part = new[start : start + batch]
                rows = self.text.encode(self.token_ids(part))
                self._texts.update(zip(part, rows, strict=True))
            return torch.stack([self._texts[t] for t in texts])


@dataclass(frozen=True)
class _Source:
    """Where a model comes from. weights: its file, or None while a tag is not downloaded."""

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


def tags(name: str) -> tuple[str, ...]:
    """open_clip's pretrained tags of a model name. Imports open_clip (and torch)."""
    import open_clip

    return () if name == BUNDLED else tuple(open_clip.list_pretrained_tags_by_model(name))


def describe(model: str = BUNDLED, pretrained: str | None = None) -> ModelInfo:
    """What is known without loading. `digest` is empty while a tag has not been downloaded.

    model: 'bundled', an open_clip name, or a config .json; pretrained: a tag or a weights file.
    SidelightError for unknown names; Unsupported for architectures that no adapter reads.
    """
    source = _locate(model, pretrained)
    info = ModelInfo(
        id=source.id,
        name=source.name,
        pretrained=source.pretrained,
        digest=_file_digest(source.weights) if source.weights else "",
        preprocess=source.preprocess,
        context=source.config["text_cfg"].get("context_length", 77),
    )
    if model != BUNDLED:
        return info
    return replace(
        info,
        note="Trained by this project on composed emoji scenes, not on photographs.",
        known_words=frozenset(json.loads((FOLDER / "concepts.json").read_text(encoding="utf-8"))["words"]),
    )


def _locate(model: str, pretrained: str | None) -> _Source:
    if model == BUNDLED:
        if pretrained:
            raise SidelightError("The bundled model has its own weights; leave the pretrained tag out.")
        return _source(BUNDLED, None, _read_config(FOLDER / "config.json"), FOLDER / "weights.safetensors")
    if model.endswith(".json"):
        config = _read_config(Path(model))
    elif model in _configs():
        config = {"model_cfg": json.loads(_configs()[model].read_text())}
    else:
        raise SidelightError(
            f"There is no model {model[:80]!r}; give bundled, one of open_clip's names (python -m engine models "
            "lists them), or an open_clip config file ending in .json."
        )
    reason = refusal(config["model_cfg"])
    if reason:
        raise Unsupported(f"{model} cannot be explained yet: {reason}. Sidelight reads {SUPPORTED}.")
    if not pretrained:
        raise SidelightError(f"{model} needs weights; add a pretrained tag or a weights file.")
    if Path(pretrained).is_file():
        return _source(model, pretrained, config, Path(pretrained))
    if model.endswith(".json"):
        raise SidelightError(f"There is no weights file {pretrained!r}; a model from a config file needs one.")
    known = default_store().recall(_tag_record(model, pretrained))
    if known and Path(known["path"]).is_file():
        return _source(model, pretrained, {**config, **known["config"]}, Path(known["path"]))
    return _source(model, pretrained, config, None)


def _tag_record(model: str, tag: str) -> str:
    return f"weights of {model}/{tag}"


def _read_config(path: Path) -> dict[str, Any]:
    """An open_clip config file, with or without its `model_cfg` level."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        config = config if "model_cfg" in config else {"model_cfg": config}
        config["model_cfg"]["vision_cfg"]["image_size"], config["model_cfg"]["text_cfg"]["width"]
    except OSError:
        raise SidelightError(f"The model config {str(path)!r} cannot be read; check the path.") from None
    except (ValueError, KeyError, TypeError):
        raise SidelightError(f"{str(path)!r} is not an open_clip model config (JSON with embed_dim, "
                             "vision_cfg and text_cfg).") from None  # fmt: skip
    return config


def _source(model: str, pretrained: str | None, config: Mapping[str, Any], weights: Path | None) -> _Source:
    vision, wanted = config["model_cfg"]["vision_cfg"], config.get("preprocess_cfg", {})
    size, patch = vision["image_size"], vision["patch_size"]
    preprocess = Preprocess(
        size=tuple(size) if isinstance(size, (list, tuple)) else (size, size),
        patch=patch[0] if isinstance(patch, (list, tuple)) else patch,
        mean=tuple(wanted.get("mean") or CLIP_MEAN),
        std=tuple(wanted.get("std") or CLIP_STD),
        interpolation=wanted.get("interpolation") or "bicubic",
    )
    name = Path(model).stem if model.endswith(".json") else model
    label = Path(pretrained).stem if pretrained and weights and "." in pretrained else pretrained
    return _Source(
        id=f"{name}/{label}" if label else name,
        name=model,
        pretrained=pretrained,
        config=config["model_cfg"],
        preprocess=preprocess,
        weights=weights,
    )


def _file_digest(path: Path) -> str:
    """SHA-256 of a weights file, remembered by path, size and time, since large files take seconds to read."""
    stat = path.stat()
    record = f"digest of {path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    known = default_store().recall(record)
    if known is None:
        with path.open("rb") as file:
            known = {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        default_store().remember(record, known)
    return known["sha256"]


def resolve_device(device: str = "auto") -> str:
    """'auto' becomes cuda, mps or cpu, whichever is there first; SidelightError for one that is not."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, here in there.items() if here)
    if not there.get(device.partition(":")[0], False):
        raise SidelightError(f"The device {device!r} is not here; use {', '.join(n for n in there if there[n])}.")
    return device


_loaded: OrderedDict[tuple[str, str, str], Model] = OrderedDict()
_loading = threading.Lock()


def load(
    model: str = BUNDLED,
    pretrained: str | None = None,
    device: str = "auto",
    progress: Callable[[str], None] | None = None,
) -> Model:
    """The loaded model, shared by all who ask for it. progress: called with what is happening, in words.

    SidelightError where the weights cannot be downloaded, read, or do not fit the architecture.
    """
    device, say = resolve_device(device), progress or (lambda stage: None)
    with _loading:
        source = _locate(model, pretrained)
        if source.weights is None:
            say(f"Downloading {source.id}")
            _download(source)
            source = _locate(model, pretrained)
        info = describe(model, pretrained)
        key = (info.id, info.digest, device)
        if key not in _loaded:
            say(f"Loading {source.id}")
            _loaded[key] = wrap(_build(source).to(device).eval().requires_grad_(False), info, source.config)
            while len(_loaded) > KEEP:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def _download(source: _Source) -> None:
    """Fetch a tag's weights once, and remember where they are and what preprocessing they want."""
    import open_clip
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    wanted = get_pretrained_cfg(source.name, source.pretrained)
    if not wanted:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(source.name)) or "none"
        raise SidelightError(
            f"{source.name} has no tag {source.pretrained!r} and there is no such file; its tags are {known}."
        )
    try:
        path = download_pretrained(wanted)
    except Exception as error:  # the hub client raises many kinds; each means that the weights are not here
        raise SidelightError(
            f"The weights of {source.id} could not be downloaded ({type(error).__name__}); check the network, or "
            "give a local weights file instead of the tag."
        ) from error
    quick = {"model_cfg": {**source.config, "quick_gelu": True}} if wanted.get("quick_gelu") else {}
    preprocess = {k: wanted[k] for k in ("mean", "std", "interpolation") if wanted.get(k)}
    record = {"path": str(path), "config": {**quick, "preprocess_cfg": preprocess}}
    default_store().remember(_tag_record(source.name, source.pretrained), record)


def _build(source: _Source) -> nn.Module:
    import open_clip
    from open_clip.factory import load_checkpoint
    from safetensors.torch import load_file

    config = {k: v for k, v in source.config.items() if k != "custom_text"}
    kind = open_clip.model.CustomTextCLIP if source.config.get("custom_text") else open_clip.model.CLIP
    try:
        clip = kind(**config)
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        raise SidelightError(f"The config of {source.id} does not describe a model: {error}.") from error
    try:
        if source.id == BUNDLED:
            clip.load_state_dict(expand_vocabulary(load_file(source.weights), clip.vocab_size))
        else:
            load_checkpoint(clip, str(source.weights), weights_only=True)
    except Exception as error:  # torch, safetensors, zipfile and pickle each have their own errors for a bad file
        raise SidelightError(
            f"{source.weights.name} is not a weights file of {source.name}; give a safetensors file or a PyTorch "
            f"state dict of that architecture."
        ) from error
    return clip


def expand_vocabulary(state: dict[str, Tensor], size: int) -> dict[str, Tensor]:
    """The bundled file keeps only the trained rows of the token table; the others become their mean."""
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    rows, ids = state.pop("token_embedding.rows"), state.pop("token_embedding.ids")
    table = rows.mean(0).expand(size, -1).clone()
    table[ids] = rows
    return {**state, "token_embedding.weight": table}


def wrap(clip: nn.Module, info: ModelInfo | None = None, config: Mapping[str, Any] | None = None) -> Model:
    """A model in memory, ready to be explained where it is; nothing of it is altered.

    info: made from the model where it is not given; config: its open_clip config, for the tokenizer's arguments.
    """
    from open_clip.tokenizer import SimpleTokenizer

    from engine.adapters.open_clip_vit import encoders

    image, text = encoders(clip)
    info = info or _info_of(clip)
    arguments = (config or {}).get("text_cfg", {}).get("tokenizer_kwargs") or {}
    tokenizer = SimpleTokenizer(context_length=info.context, **arguments)
    device = str(clip.logit_scale.device)
    return Model(info=info, clip=clip, image=image, text=text, tokenizer=tokenizer, device=device)


def _info_of(clip: nn.Module) -> ModelInfo:
    state = hashlib.sha256()
    for name, value in sorted(clip.state_dict().items()):
        state.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        state.update(value.detach().cpu().float().numpy().tobytes())
    visual = clip.visual
    size = visual.image_size if isinstance(visual.image_size, tuple) else (visual.image_size,) * 2
    return ModelInfo(
        id="custom",
        name="custom",
        pretrained=None,
        digest=state.hexdigest(),
        preprocess=Preprocess(size=size, patch=visual.patch_size[0], mean=CLIP_MEAN, std=CLIP_STD),
        context=clip.context_length,
    )
