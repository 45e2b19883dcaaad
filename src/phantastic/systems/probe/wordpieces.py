"""From wordpieces back to words: a word's vector is the mean over its pieces (Hewitt & Manning 2019, section 4).

An *encoder* is anything that takes sentences, each a list of words, and gives for each its vectors [layers, words,
hidden]. `Pieces` is one made of a model and its tokenizer.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from torch import Tensor, nn

from phantastic.data.files import folder as existing_folder
from phantastic.data.files import regular_file
from phantastic.errors import Refused

BATCH = 32
UNKNOWN = ("[UNK]", "<unk>", "<|endoftext|>")


class Encoder(Protocol):
    """Vectors of all words of some sentences, by layer; layer 0 is what enters the network's first one."""

    def __call__(self, sentences: Sequence[Sequence[str]], /) -> Sequence[Float[Tensor, "layers words hidden"]]: ...


class Aligned(NamedTuple):
    """The tokens of a sentence and the word that each belongs to, from 0; -1 of [CLS], [SEP] and their like."""

    ids: list[int]
    words: Int64[ndarray, " tokens"]


class Tokenizer:
    """Turns words into tokens: a model folder's ``tokenizer.json``, else WordPiece with its ``vocab.txt``, in lower
    case unless ``tokenizer_config.json`` says otherwise. Raises `Refused` where there is neither."""

    def __init__(self, folder: str | Path):
        from tokenizers import Tokenizer as Stored
        from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

        folder = existing_folder(folder, "a model's folder with tokenizer.json or vocab.txt")
        try:
            if (folder / "tokenizer.json").exists():
                self.stored: Any = Stored.from_file(str(folder / "tokenizer.json"))
            else:
                vocabulary = regular_file(folder / "vocab.txt", "the words of the model, or tokenizer.json beside it")
                settings = folder / "tokenizer_config.json"
                found = msgspec.json.decode(settings.read_bytes(), type=dict[str, Any]) if settings.exists() else {}
                self.stored = BertWordPieceTokenizer(str(vocabulary), lowercase=found.get("do_lower_case", True))
        except Refused:
            raise
        except Exception as error:  # the library raises nothing narrower
            raise Refused(f"the tokenizer in {str(folder)!r} cannot be read: {error}") from None
        self.stored.no_truncation()
        self.stored.no_padding()
        self.unknown = next((token for token in UNKNOWN if self.stored.token_to_id(token) is not None), None)

    def __call__(self, words: Sequence[str]) -> Aligned:
        """The tokens of a sentence. A word that has none, such as an invisible letter, becomes the unknown token."""
        encoded = self.stored.encode(list(words), is_pretokenized=True)
        if missing := set(range(len(words))).difference(encoded.word_ids):
            if self.unknown is None:
                raise Refused(f"the word {words[min(missing)]!r} has no tokens, and there is none for unknown words")
            known = [self.unknown if number in missing else word for number, word in enumerate(words)]
            encoded = self.stored.encode(known, is_pretokenized=True)
        return Aligned(encoded.ids, np.array([-1 if word is None else word for word in encoded.word_ids], np.int64))


def pool(
    vectors: Float[Tensor, "*layers tokens hidden"], words: Int64[ndarray, " tokens"], count: int
) -> Float32[Tensor, "*layers {count} hidden"]:
    """The mean over each word's tokens, for ``count`` words. Raises `Refused` where tokens and words do not fit."""
    inside = np.flatnonzero(words >= 0)
    pieces = np.bincount(words[inside], minlength=count)
    if vectors.shape[-2] != len(words) or len(pieces) != count or not pieces.all():
        fit = f"{vectors.shape[-2]} vectors for {len(words)} tokens of {np.count_nonzero(pieces)} words"
        raise Refused(f"{fit}; expected a vector for each token, and tokens of each of the {count} words")
    weights = np.zeros((count, len(words)), dtype=np.float32)
    weights[words[inside], inside] = 1 / pieces[words[inside]]
    return torch.from_numpy(weights).to(vectors.device) @ vectors.float()


class Pieces:
    """An encoder of a model that gives ``hidden_states`` for ``input_ids`` and ``attention_mask``, as BERT's do, and
    of what turns a sentence into its tokens (a `Tokenizer`, for one). It takes at most ``longest`` tokens a sentence.

    The model is left as it is found: put it in evaluation mode first.
    """

    def __init__(self, model: nn.Module, tokenize: Callable[[Sequence[str]], Aligned], longest: int = 512):
        self.model, self.tokenize, self.longest = model, tokenize, longest

    @torch.no_grad()
    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[Float32[Tensor, "layers words hidden"]]:
        """Raises `Refused` naming the sentence that has too many tokens."""
        aligned = [self.tokenize(words) for words in sentences]
        for number, each in enumerate(aligned, start=1):
            if len(each.ids) > self.longest:
                raise Refused(f"sentence {number} has {len(each.ids)} tokens; the model takes at most {self.longest}")
        device = next(self.model.parameters()).device
        order = sorted(range(len(aligned)), key=lambda number: len(aligned[number].ids))  # little padding
        found: list[Tensor] = [torch.empty(0)] * len(aligned)
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            ids = nn.utils.rnn.pad_sequence([torch.tensor(aligned[number].ids) for number in chosen], batch_first=True)
            lengths = torch.tensor([len(aligned[number].ids) for number in chosen])
            mask = torch.arange(ids.shape[1]) < lengths[:, None]
            result = self.model(
                input_ids=ids.to(device), attention_mask=mask.long().to(device), output_hidden_states=True
            )
            layers = torch.stack(result.hidden_states, dim=1)
            for row, number in enumerate(chosen):
                tokens = aligned[number].words
                found[number] = pool(layers[row, :, : len(tokens)], tokens, len(sentences[number]))
        return found
