"""Methods and models, as the registry and the catalog describe them."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.choices import State
from engine.types import ModelInfo, SidelightError

if TYPE_CHECKING:
    from engine.registry import Method

log = logging.getLogger(__name__)
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")
TAG = re.compile(r"[\w-]*")
DROP = "A file of one's own goes into the folder data/models and is chosen by its name."
WARM_UP_AFTER = 1.5  # seconds; importing torch takes the processor from the first drawing


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


def sign_of(spec: str) -> tuple[str, bool]:
    """Which evidence a spec's map holds: 'positive', 'negative', 'signed' for both, or '' where its method
    knows no sign; and whether the method can give both."""
    from engine import specs

    parsed = specs.parse(spec)
    takes = next((p for p in parsed.method.parameters if p.name == "sign"), None)
    return (dict(parsed.params)["sign"], "signed" in takes.choices) if takes else ("", False)


def models() -> tuple[str, ...]:
    """The names of the models that can be explained, configs of one's own among them."""
    from engine import catalog

    return (*catalog.names(), *(name for name in catalog.local_files() if name.endswith(".json")))


def weights_files() -> tuple[str, ...]:
    """The weights files of one's own that a model can be given."""
    from engine import catalog

    return tuple(name for name in catalog.local_files() if Path(name).suffix in WEIGHTS)


def tags(model: str) -> tuple[str, ...]:
    """The known tags of a model: none before open_clip is loaded, which takes seconds."""
    if "open_clip" not in sys.modules or model not in models():
        return ()
    from engine import models as loader

    return loader.tags(model)


def describe(model: str, pretrained: str = "") -> ModelInfo:
    """What is known of a model without loading it; SidelightError where there is none such.

    Names and tags only: what is typed here or comes with a link never becomes a path.
    """
    from engine import catalog

    if model.endswith(".json") and model not in models():
        raise SidelightError(f"There is no model config {model[:80]!r} here. {DROP}")
    if pretrained not in weights_files() and not TAG.fullmatch(pretrained):
        raise SidelightError(
            f"There are no weights {pretrained[:80]!r} here; give a tag of open_clip. {DROP}"
        )
    return catalog.describe(model, pretrained or None)


def described(state: State) -> ModelInfo:
    return describe(state.model, state.pretrained)


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
