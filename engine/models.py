"""Loaded models: the bundled CLIP, open_clip's by tag or file, or one in memory. One copy and one lock
each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.adapters import encoders
from engine.catalog import BUNDLED, Source, describe, locate
from engine.download import fetch
from engine.in_memory import info_of
from engine.types import ModelInfo, SidelightError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.encoder import Encoder

TEXTS_AT_ONCE = 256
KEEP = 3  # loaded models kept in memory; the least recently used goes first


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

    def embed_texts(self, texts: Sequence[str], say: Callable[[str], None] = lambda stage: None) -> Tensor:
        """Unit embeddings [p e] of the model as it is; each text is encoded once in the model's life.

        say: called with the stage before each part of a long list; it may raise Cancelled, and what was done
        by then is kept.
        """
        import torch

        new = [t for t in dict.fromkeys(texts) if t not in self._texts]
        with self.lock, torch.no_grad():
            for start in range(0, len(new), TEXTS_AT_ONCE):
                if len(new) > TEXTS_AT_ONCE:
                    say(f"text {start} of {len(new)}")
                part = new[start : start + TEXTS_AT_ONCE]
                ids = self.token_ids(part)
                # No token sees those after it, so the padding past the longest text is not worth its time.
                rows = self.text.encode(ids[:, : int(self.text.row(ids).max()) + 1])
                self._texts.update(zip(part, rows, strict=True))
            return torch.stack([self._texts[t] for t in texts])


def tags(name: str) -> tuple[str, ...]:
    """open_clip's pretrained tags of a model name. Imports open_clip (and torch)."""
    import open_clip

    return () if name == BUNDLED else tuple(open_clip.list_pretrained_tags_by_model(name))


def resolve_device(device: str = "auto") -> str:
    """'auto' becomes cuda, mps or cpu, whichever is there first; SidelightError for one that is not."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, here in there.items() if here)
    here = [name for name in there if there[name]]
    numbered = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    if device not in here + numbered:
        raise SidelightError(f"The device {device[:80]!r} is not here; use {', '.join(here)}.")
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
    if locate(model, pretrained).weights is None:
        fetch(model, pretrained, say)
    with _loading:
        source, info = locate(model, pretrained), describe(model, pretrained)
        key = (info.id, info.digest, device)
        if key not in _loaded:
            say(f"Loading {source.id}")
            _loaded[key] = wrap(_build(source).to(device).eval().requires_grad_(False), info, source.config)
            while len(_loaded) > KEEP:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]


def _build(source: Source) -> nn.Module:
    import open_clip
    from open_clip.factory import load_checkpoint
    from safetensors.torch import load_file

    config = {k: v for k, v in source.config.items() if k != "custom_text"}
    kind = open_clip.model.CustomTextCLIP if source.config.get("custom_text") else open_clip.model.CLIP
    try:
        clip = kind(**config)
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        AssertionError,
    ) as error:
        raise SidelightError(f"The config of {source.id} does not describe a model: {error}.") from error
    try:
        if source.id == BUNDLED:
            clip.load_state_dict(expand_vocabulary(load_file(source.weights), clip.vocab_size))
        else:
            load_checkpoint(clip, str(source.weights), weights_only=True)
    except (
        Exception
    ) as error:  # torch, safetensors, zipfile and pickle each have their own errors for a bad file
        raise SidelightError(
            f"{source.weights.name} is not a weights file of {source.name}; give a safetensors file or a "
            "PyTorch state dict of that architecture."
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

    info: made from the model where it is not given; config: its open_clip config, for the tokenizer's
    arguments.
    """
    from open_clip.tokenizer import SimpleTokenizer

    image, text = encoders(clip)
    info = info or info_of(clip, image.offers)
    arguments = (config or {}).get("text_cfg", {}).get("tokenizer_kwargs") or {}
    tokenizer = SimpleTokenizer(context_length=info.context, **arguments)
    device = str(clip.logit_scale.device)
    return Model(info=info, clip=clip, image=image, text=text, tokenizer=tokenizer, device=device)
