"""The files that ship: weights in half precision, config and the words that were trained."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from engine.training.captions import all_words
from engine.training.concepts import CONCEPTS_FILE
from engine.training.tokens import TokenRows
from engine.training.towers import CONFIG

MODEL_FOLDER = CONCEPTS_FILE.parent


def export_weights(state: dict[str, Tensor], ids: Tensor, path: Path) -> None:
    """A training state dict, whose token table has a row for each of `ids` only, as float16 safetensors.

    The table's rows are written as `token_embedding.rows`, their token ids as `token_embedding.ids`.
    """
    state = dict(state)
    rows = state.pop("token_embedding.weight")
    if len(rows) != len(ids):
        raise ValueError(f"{len(rows)} token rows for {len(ids)} ids")
    halves = {name: value.half().contiguous() for name, value in state.items() if name != "attn_mask"}
    halves |= {"token_embedding.rows": rows.half().contiguous(), "token_embedding.ids": ids.long()}
    path.write_bytes(save(halves))  # save_file would make the file unreadable for others


def export(checkpoint: Path, folder: Path = MODEL_FOLDER) -> None:
    """Write weights and config from a checkpoint, and the trained words into concepts.json."""
    state = torch.load(checkpoint, weights_only=True)
    ids = torch.from_numpy(TokenRows(all_words()).ids)
    folder.mkdir(parents=True, exist_ok=True)
    export_weights(state.get("model", state), ids, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", encoding="utf-8")
    write_words(CONCEPTS_FILE)


def write_words(path: Path) -> None:
    """Renew the last entry of concepts.json, one line with every lower-case word that was trained."""
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("\n ]") + len("\n ]")]
    words = sorted(set(re.findall(r"[a-z]+", all_words().lower())))
    path.write_text(f'{head},\n "words": {json.dumps(words)}\n}}\n', encoding="utf-8")
