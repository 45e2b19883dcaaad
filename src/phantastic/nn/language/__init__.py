"""BERT and its family: models that open, train and write Hugging Face folders.

>>> model = load_pretrained("bert-base-uncased")  # a folder
>>> result = model(input_ids, attention_mask=attention_mask, output_hidden_states=True)
"""

from phantastic.nn.language.pretrained import create, load_pretrained, save_pretrained

__all__ = ["create", "load_pretrained", "save_pretrained"]
