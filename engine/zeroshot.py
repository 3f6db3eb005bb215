"""CLIP's zero-shot classifier of ImageNet: open_clip's class names in its 80 templates, made once a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.store import Store, default_store
from engine.templates import ensemble, imagenet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from engine.models import Model

CLASSES_AT_ONCE = 20


def imagenet_classes() -> tuple[str, ...]:
    """The 1000 class names, in the order of ImageNet's class index. Imports open_clip."""
    from open_clip import IMAGENET_CLASSNAMES

    return tuple(IMAGENET_CLASSNAMES)


def imagenet_weights(
    model: Model, store: Store | None = None, say: Callable[[str], None] = lambda stage: None
) -> Tensor:
    """Unit embeddings [1000 e] of the classes, kept in the store.

    say: called with the stage before each part of the 80,000 texts; it may raise Cancelled.
    """
    import torch

    store, key = store or default_store(), _key(model)
    entry = store.get(key)
    if entry is not None:
        return torch.tensor(entry.arrays["weights"], device=model.device)
    names, parts = imagenet_classes(), []
    for start in range(0, len(names), CLASSES_AT_ONCE):
        say(f"zero-shot classifier, class {start} of {len(names)}")
        parts.append(_classes(model, names[start : start + CLASSES_AT_ONCE]))
    weights = torch.cat(parts)
    store.put(key, {"weights": weights.cpu().numpy()}, {})
    return weights


def _classes(model: Model, names: tuple[str, ...]) -> Tensor:
    import torch

    def embed(texts: list[str]) -> Tensor:
        # Not Model.embed_texts, which would keep all 80,000 embeddings.
        parts = (texts[i : i + 256] for i in range(0, len(texts), 256))
        return torch.cat([model.text.encode(model.token_ids(part)) for part in parts])

    with model.lock, torch.no_grad():
        return ensemble(embed, imagenet(), names)


def _key(model: Model) -> dict[str, Any]:
    return {
        "classifier": "imagenet",
        "version": 1,
        "model": model.info.id,
        "weights": model.info.digest,
        "context": model.info.context,
        "dtype": "float32",
    }
