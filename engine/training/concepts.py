"""The concepts that the bundled model knows, read from data/model/concepts.json."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CONCEPTS_FILE = Path(__file__).resolve().parents[2] / "data" / "model" / "concepts.json"


@dataclass(frozen=True)
class Glyph:
    """One emoji that shows a concept; `colour` is named only where one colour dominates it."""

    char: str
    colour: str | None = None


@dataclass(frozen=True)
class Concept:
    """A kind of object: `prompt` is its canonical phrase ("a dog"), `synonyms` are further phrases."""

    name: str
    prompt: str
    synonyms: tuple[str, ...]
    category: str
    glyphs: tuple[Glyph, ...]
    emotion: str | None = None

    @property
    def phrases(self) -> tuple[str, ...]:
        return (self.prompt, *self.synonyms)


@dataclass(frozen=True)
class Vocabulary:
    """All concepts, and for each category the phrases that name it (none where nobody would say it)."""

    concepts: tuple[Concept, ...]
    categories: dict[str, tuple[str, ...]]


@cache
def load_concepts(path: Path = CONCEPTS_FILE) -> Vocabulary:
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    concepts = tuple(
        Concept(
            name=c["name"],
            prompt=c["prompt"],
            synonyms=tuple(c["synonyms"]),
            category=c["category"],
            glyphs=tuple(Glyph(**g) for g in c["glyphs"]),
            emotion=c.get("emotion"),
        )
        for c in data["concepts"]
    )
    return Vocabulary(concepts, {name: tuple(phrases) for name, phrases in data["categories"].items()})
