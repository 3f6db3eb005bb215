"""Weights by tag, from a hub of the test's own on this machine."""

from __future__ import annotations

import errno
import gc
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file

from engine import catalog, download, models
from engine.types import Cancelled, SidelightError
from tests.engine.test_models import random_weights
from tests.patience import PATIENCE

SAFE, OLD = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"


@pytest.fixture(autouse=True)
def unload():
    """Let the large models of one test go before the next."""
    yield
    models._loaded.clear()
    gc.collect()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Files by name that a hub serves under every repository, and what it was asked for."""
    files: dict[str, bytes] = {}
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            name = self.path.rpartition("/")[2]
            asked.append(f"{self.command} {name}")
            content = files.get(name)
            self.send_response(404 if content is None else 200)
            self.send_header("X-Repo-Commit", "c" * 40)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("ETag", hashlib.sha256(content or b"").hexdigest())
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(files.get(self.path.rpartition("/")[2], b""))

        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        f"{here}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield files, asked
    server.shutdown()
    server.server_close()


# OpenAI's weights were trained with QuickGELU, which the tag says and the plain config does not.
@pytest.mark.parametrize(
    ("tag", "name", "activation"),
    [("openai", SAFE, "QuickGELU"), ("laion2b_s34b_b79k", OLD, "GELU")],
)
def test_a_tag_comes_from_the_hub_once_and_is_known_without_torch_afterwards(
    hub, tmp_path, tag, name, activation
):
    files, asked = hub
    random_weights("ViT-B-32", tmp_path / SAFE)
    torch.save(load_file(tmp_path / SAFE), tmp_path / OLD)
    files[name] = (tmp_path / name).read_bytes()
    assert catalog.describe("ViT-B-32", tag).digest == ""
    model = models.load("ViT-B-32", tag, "cpu")
    assert model.info.id == f"ViT-B-32/{tag}"
    assert catalog.describe("ViT-B-32", tag).digest == model.info.digest != ""
    assert type(model.clip.visual.transformer.resblocks[0].mlp.gelu).__name__ == activation
    assert [line for line in asked if "GET" in line] == [f"GET {name}"]


def test_a_download_says_how_far_it_is(hub):
    files, _ = hub
    files[SAFE] = bytes(3 * download.MB)
    far = download.Far()
    with open(download._from_hub("anyone/anything", far), "rb") as file:
        assert file.read() == files[SAFE]
    assert (far.here, far.total) == (3 * download.MB, 3 * download.MB)
    assert str(far) == ", 3 of 3 MB"


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (ConnectionError("no route to host"), "ConnectionError"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_a_failed_download_is_one_sentence_with_its_first_cause(monkeypatch, caplog, cause, said):
    def fails(*args, **kwargs):
        huggingface_hub.logging.get_logger("huggingface_hub.tries").warning("Retrying in 8s [Retry 5/5].")
        raise huggingface_hub.errors.LocalEntryNotFoundError("An error happened") from cause

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fails)
    with pytest.raises(SidelightError, match=rf"could not be downloaded \({said}\); check the network"):
        models.load("ViT-B-32", "laion400m_e32", "cpu")
    assert not caplog.records


def test_an_unknown_tag_names_the_known_ones():
    with pytest.raises(SidelightError, match="its tags are openai, laion400m_e31"):
        models.load("ViT-B-32", "nobody", "cpu")


def test_a_download_holds_up_nobody_and_can_be_left(monkeypatch):
    started, released = threading.Event(), threading.Event()

    def slow(repository, name, tqdm_class):
        tqdm_class(total=600 * download.MB, unit="B").update(20 * download.MB)
        started.set()
        assert released.wait(PATIENCE)
        raise ConnectionError("gone")

    said = []

    def leave(stage):
        said.append(stage)
        if len(said) > 2 and started.wait(PATIENCE):
            raise Cancelled("enough")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", slow)
    with pytest.raises(Cancelled, match="enough"):
        models.load("ViT-B-32", "laion400m_e31", "cpu", leave)
    assert said[0] == "Downloading ViT-B-32/laion400m_e31"
    assert said[-1] == "Downloading ViT-B-32/laion400m_e31, 20 of 600 MB"
    assert models.load(device="cpu").info.id == "bundled"
    released.set()
