"""Pages under AppTest, with image sets of their own and a stand-in for everything that needs a model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from dashboard import gateway
from dashboard.choices import State
from dashboard.uploads import Uploads
from engine import datasets
from engine.types import Explanation, Failure, Map, ModelInfo, Preprocess, Progress, SidelightError, Target
from tests.patience import PATIENCE

PREPROCESS = Preprocess((112, 112), 8, (0.5,) * 3, (0.5,) * 3)
BUNDLED = ModelInfo(
    id="bundled",
    name="bundled",
    pretrained=None,
    digest="0" * 64,
    preprocess=PREPROCESS,
    context=32,
    note="Trained on scenes.",
    known_words=frozenset(("a", "dog", "cat", "tree", "red")),
)
ALIKE = ("a dog " * 30 + "and a cat", "a dog " * 30 + "and a tree")  # prompts that are one when shortened
SCRIPT = """
from dashboard import frame
from dashboard.views import {name}

class Page:
    run = staticmethod({name}.page)

frame.draw("{name}", Page)
"""


@dataclass
class Job:
    """A computation as the pages see it."""

    state: str = "running"
    progress: Progress = field(default_factory=lambda: Progress(1, 4, "Loading ViT-B-16/openai"))
    error: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass
class StandIn:
    """What the stand-in answers, and what it was asked. job: of every explanation that is asked for."""

    job: Job | None = None
    failing: tuple[str, ...] = ()
    asked: list[State] = field(default_factory=list)

    def maps(self, shown: State, targets: Sequence[Target]) -> tuple[Explanation, Job | None]:
        self.asked.append(shown)
        image, labels = gateway.collection.image(shown), [target.label for target in targets]
        specs = tuple(dict.fromkeys(gateway.models.signed(spec, shown.sign) for spec in shown.methods))
        maps = [
            Map(spec, "image", text, _values(spec, text), score=0.2, explained_score=0.2, seconds=0.01)
            for spec in specs
            for text in labels
            if self.job is None and spec not in self.failing
        ]
        failures = [
            Failure(spec, "image", text, f"{spec} needs a class token.", unsupported=True)
            for spec in self.failing
            for text in labels
        ]
        found = Explanation(
            image=image,
            model=self.describe(shown.model, shown.pretrained),
            resize=shown.resize,
            targets=tuple(targets),
            specs=specs,
            seen=(0.0, 0.0, *map(float, image.size)),
            grid=(14, 14),
            maps=tuple(maps),
            failures=tuple(failures),
        )
        return found, self.job

    def describe(self, model: str, pretrained: str = "") -> ModelInfo:
        if model == "bundled":
            return BUNDLED
        if model == "ViT-B-16" and pretrained == "openai":
            return replace(BUNDLED, id="ViT-B-16/openai", name=model, known_words=None, note="")
        raise SidelightError(f"There is no model {model!r} with weights {pretrained!r}.")


def _values(spec: str, text: str) -> np.ndarray:
    return np.random.default_rng(len(spec) * 100 + len(text)).random((14, 14), np.float32)


def image_sets(folder: Path) -> None:
    """Two small sets: `scenes` with prompts and boxes, `plain` a folder of images."""
    scenes, plain = folder / "scenes", folder / "plain"
    scenes.mkdir(parents=True)
    plain.mkdir()
    things = (("dog", "red"), ("cat", "blue"), ("tree", "green"))
    rows = []
    for number, (name, colour) in enumerate(things):
        Pillow.new("RGB", (64, 48), colour).save(scenes / f"s{number}.png")
        box = {"name": name, "bbox": [4, 4, 20, 20]}
        rows.append(
            {"file_name": f"s{number}.png", "prompts": [f"a {name}", f"a {colour} wall"], "objects": [box]}
        )
    (scenes / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (scenes / "README.md").write_text("# Some scenes\n\nThree walls.\n\nLicence: CC0-1.0\n")
    Pillow.new("RGB", (40, 80), "white").save(plain / "p.png")


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The gateway without models: sets in a folder of the test, random maps."""
    image_sets(tmp_path / "sets")
    made = StandIn()
    monkeypatch.setattr(gateway.collection, "sets", lambda: tuple(datasets.sets(tmp_path / "sets")))
    monkeypatch.setattr(gateway.collection, "image_set", lambda name: datasets.find(name, tmp_path / "sets"))
    monkeypatch.setattr(gateway.maps, "maps", made.maps)
    monkeypatch.setattr(gateway.models, "describe", made.describe)
    monkeypatch.setattr(gateway.prompts, "concepts", lambda: ("a cat", "a dog"))
    kept = Uploads(tmp_path / "uploads")
    monkeypatch.setattr(gateway.uploads, "kept", lambda: kept)
    return made


@pytest.fixture
def opened(standin: StandIn) -> Callable[..., AppTest]:
    """Open a view with the frame around it, by a link: opened('compare', prompts=['a dog'])."""

    def open_view(name: str, **query: list[str]) -> AppTest:
        test = AppTest.from_string(SCRIPT.format(name=name), default_timeout=PATIENCE)
        for key, values in query.items():
            test.query_params[key] = values
        return test.run()

    return open_view
