"""Maps on disk: found by what they are of, never by where they are, and never silently lost.

A key is a JSON object (image digest, model, weights digest, method, parameters, target ...), its SHA-256 the
name of the entry; the value is one safetensors blob that carries the key, so that an entry explains itself.
"""

from engine.store.entry import Damaged, Entry, canonical, digest
from engine.store.store import SHIPPED, Info, Store, Verified, default_store

__all__ = [
    "SHIPPED",
    "Damaged",
    "Entry",
    "Info",
    "Store",
    "Verified",
    "canonical",
    "default_store",
    "digest",
]
