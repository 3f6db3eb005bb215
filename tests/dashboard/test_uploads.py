"""Uploaded files: found by digest, never by a name that a person gave, and kept where the disk refuses."""

from __future__ import annotations

import pytest

from dashboard import gateway
from dashboard.uploads import Uploads
from engine.types import SidelightError

DIGEST = "0123456789abcdef" * 4


def test_a_file_is_kept_read_by_another_server_and_forgotten(tmp_path):
    folder = tmp_path / "cache" / "uploads"
    Uploads(folder).keep(DIGEST, b"picture")
    other = Uploads(folder)
    assert other.has(DIGEST) and other.get(DIGEST) == b"picture"
    assert [path.name for path in folder.iterdir()] == [DIGEST]
    other.forget(DIGEST)
    assert not other.has(DIGEST) and other.get(DIGEST) is None
    assert list(folder.iterdir()) == []
    other.forget(DIGEST)


def test_where_no_folder_can_be_made_files_are_kept_in_memory(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    uploads = Uploads(tmp_path / "file" / "uploads")
    uploads.keep(DIGEST, b"picture")
    assert uploads.has(DIGEST) and uploads.get(DIGEST) == b"picture"
    uploads.forget(DIGEST)
    assert not uploads.has(DIGEST)


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def full(path, data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    uploads = Uploads(tmp_path)
    uploads.keep(DIGEST, b"picture")
    assert uploads.get(DIGEST) == b"picture"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_keeps_the_file_is_named_in_a_sentence(tmp_path, monkeypatch):
    def refuse(path, missing_ok):
        raise OSError(30, "Read-only file system")

    uploads = Uploads(tmp_path)
    uploads.keep(DIGEST, b"picture")
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(SidelightError, match="Read-only file system"):
        uploads.forget(DIGEST)


def test_maps_that_cannot_be_removed_are_named_and_the_image_is_gone(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "file"))
    kept = Uploads(tmp_path / "uploads")
    monkeypatch.setattr(gateway.uploads, "kept", lambda: kept)
    kept.keep(DIGEST, b"picture")
    with pytest.raises(SidelightError, match=r"forgotten, but maps of it may be left. The cache folder"):
        gateway.uploads.forget(DIGEST)
    assert not kept.has(DIGEST)


@pytest.mark.parametrize("name", ["", "../x", DIGEST.upper(), DIGEST + "/", DIGEST[:-1], DIGEST + "\n"])
def test_nothing_but_a_digest_becomes_a_path(tmp_path, name):
    uploads = Uploads(tmp_path)
    for ask in (uploads.has, uploads.get, uploads.forget, lambda n: uploads.keep(n, b"")):
        with pytest.raises(ValueError, match="not a digest"):
            ask(name)
