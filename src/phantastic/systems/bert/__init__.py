"""BERT and its family: models that open, train and write Hugging Face folders.

>>> model = load_pretrained("bert-base-uncased")  # a folder
>>> result = model(input_ids, attention_mask=attention_mask, output_hidden_states=True)

The names below are loaded when they are first used, so that the declaration of the study imports no PyTorch.
"""

from phantastic.lazy import loader

_HOMES: dict[str, str] = dict.fromkeys(("create", "load_pretrained", "save_pretrained"), "pretrained")
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = loader(__name__, _HOMES)
