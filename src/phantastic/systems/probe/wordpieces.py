"""From wordpieces back to words: a word's vector is the mean over its pieces (Hewitt & Manning 2019, section 4).

An *encoder* is anything that takes sentences, each a list of words, and gives for each its vectors [layers, words,
hidden]. `Pieces` is one made of a network and its tokenizer.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int64
from numpy import ndarray
from torch import Tensor, nn

from phantastic.data.files import folder as existing_folder
from phantastic.data.files import regular_file
from phantastic.ground.errors import Refused

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
    """Turns words into tokens, by a tokenizer of the library `tokenizers`."""

    def __init__(self, stored: Any):
        stored.no_truncation()
        stored.no_padding()
        self.stored = stored
        self.unknown = next((token for token in UNKNOWN if stored.token_to_id(token) is not None), None)

    @classmethod
    def open(cls, folder: str | Path) -> "Tokenizer":
        """That of a model's folder: ``tokenizer.json``, else WordPiece with the words of ``vocab.txt``, in lower case
        unless ``tokenizer_config.json`` says otherwise. Raises `Refused` where there is neither."""
        import tokenizers
        from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

        folder = existing_folder(folder, "a model's folder with tokenizer.json or vocab.txt")
        try:
            if (folder / "tokenizer.json").exists():
                return cls(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")))
            vocabulary = regular_file(folder / "vocab.txt", "the words of the model, or tokenizer.json beside it")
            config_file = folder / "tokenizer_config.json"
            config = msgspec.json.decode(config_file.read_bytes(), type=dict[str, Any]) if config_file.exists() else {}
            return cls(BertWordPieceTokenizer(str(vocabulary), lowercase=config.get("do_lower_case", True)))
        except Refused:
            raise
        except Exception as error:  # the library raises nothing narrower
            raise Refused(f"the tokenizer in {str(folder)!r} cannot be read: {error}") from None

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
    """An encoder made of a network's ``states`` and of what turns a sentence into tokens (a `Tokenizer`, for one).

    ``states`` takes token ids and a mask (1 where tokens are, 0 in the padding), both [batch, tokens], and gives a
    [batch, tokens, hidden] for every layer. A sentence has at most ``longest`` tokens.
    """

    def __init__(
        self,
        states: Callable[[Int[Tensor, "batch tokens"], Int[Tensor, "batch tokens"]], Sequence[Tensor]],
        tokenize: Callable[[Sequence[str]], Aligned],
        *,
        longest: int = 512,
        device: torch.device | str = "cpu",
    ):
        self.states, self.tokenize, self.longest, self.device = states, tokenize, longest, device

    @torch.no_grad()
    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[Float32[Tensor, "layers words hidden"]]:
        """Raises `Refused` with the beginning of a sentence that has too many tokens."""
        aligned = [self.tokenize(words) for words in sentences]
        for words, alignment in zip(sentences, aligned, strict=True):
            if len(alignment.ids) > self.longest:
                beginning = " ".join(words)[:60]
                raise Refused(
                    f"{len(alignment.ids)} tokens in the sentence {beginning!r}…; the model takes {self.longest}"
                )
        order = sorted(range(len(aligned)), key=lambda number: len(aligned[number].ids))  # little padding
        vectors: list[Tensor] = [torch.empty(0)] * len(aligned)
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            ids = nn.utils.rnn.pad_sequence([torch.tensor(aligned[number].ids) for number in chosen], batch_first=True)
            lengths = torch.tensor([len(aligned[number].ids) for number in chosen])
            mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
            layers = torch.stack(list(self.states(ids.to(self.device), mask.to(self.device))), dim=1)
            for row, number in enumerate(chosen):
                tokens = aligned[number].words
                vectors[number] = pool(layers[row, :, : len(tokens)], tokens, len(sentences[number]))
        return vectors
