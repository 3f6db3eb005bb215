"""Weights of a tag, fetched once from the Hugging Face hub into its cache."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from engine.catalog import Source, locate, tag_record
from engine.store import default_store
from engine.types import SidelightError

ASK_AGAIN = 0.5  # seconds between two looks at whether a download is still wanted
MB = 10**6
_downloading = threading.Lock()


@dataclass
class Far:
    """How many bytes are here, and of how many."""

    here: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f", {self.here / MB:.0f} of {self.total / MB:.0f} MB" if self.total else ""


def fetch(model: str, pretrained: str | None, say: Callable[[str], None]) -> None:
    """Download a tag's weights in a thread of its own, and call `say` meanwhile: where it raises, the caller
    is free and the download goes on unheard. Models that are here can be loaded all the time.

    SidelightError where there is no such tag, or it cannot be downloaded.
    """
    source, far, done = locate(model, pretrained), Far(), Future()

    def run() -> None:
        try:
            with _downloading:
                if locate(model, pretrained).weights is None:  # not while this waited for another download
                    _download(source, far)
        except Exception as error:  # raised again where it is waited for
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, name=f"download of {source.id}", daemon=True).start()
    say(f"Downloading {source.id}")
    while not wait([done], ASK_AGAIN).done:
        say(f"Downloading {source.id}{far}")
    done.result()


def _download(source: Source, far: Far) -> None:
    """Fetch a tag's weights, and remember where they are and what preprocessing they want."""
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    wanted = get_pretrained_cfg(source.name, source.pretrained)
    if not wanted:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(source.name)) or "none"
        raise SidelightError(
            f"{source.name} has no tag {source.pretrained!r} and there is no such file; its tags are {known}."
        )
    hub = logging.getLogger("huggingface_hub")
    loud = hub.level
    hub.setLevel(logging.ERROR)  # it tells each of its tries; what comes of them is said here
    try:
        path = _from_hub(wanted["hf_hub"].rstrip("/"), far)
    except Exception as error:  # the hub client raises many kinds; each means that the weights are not here
        raise SidelightError(
            f"The weights of {source.id} could not be downloaded ({_first_cause(error)}); check the "
            "network, or give a local weights file instead of the tag."
        ) from error
    finally:
        hub.setLevel(loud)
    quick = {"model_cfg": {**source.config, "quick_gelu": True}} if wanted.get("quick_gelu") else {}
    preprocess = {k: wanted[k] for k in ("mean", "std", "interpolation") if wanted.get(k)}
    record = {"path": path, "config": {**quick, "preprocess_cfg": preprocess}}
    default_store().remember(tag_record(source.name, source.pretrained), record)


def _from_hub(repository: str, far: Far) -> str:
    """The path of a repository's weights in the hub's cache: safetensors where it has them, as open_clip does
    it. Every tag of the architectures that are read has open_clip's own file names."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    bar = _bar(far)
    try:
        return hf_hub_download(repository, HF_SAFE_WEIGHTS_NAME, tqdm_class=bar)
    except RemoteEntryNotFoundError:
        return hf_hub_download(repository, HF_WEIGHTS_NAME, tqdm_class=bar)


def _bar(far: Far) -> type:
    """A progress bar that draws nothing and tells `far`. The hub makes several for one file; the furthest
    counts."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            far.here, far.total = max(far.here, int(self.n)), max(far.total, int(self.total or 0))

    return Bar


def _first_cause(error: BaseException) -> str:
    """What an error came of, in a few words; what the hub raises over it would mislead."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return getattr(error, "strerror", None) or type(error).__name__
