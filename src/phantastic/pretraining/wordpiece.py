"""WordPiece: words in, pieces of a learned vocabulary out (Schuster & Nakajima 2012; Devlin et al. 2019, section 3).

Merges are learned until the vocabulary is full or every word that was read is one piece. Letters stay in the
vocabulary, so that a word that was never read still has pieces.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from phantastic.data.files import folder as existing_folder
from phantastic.ground import files
from phantastic.ground.errors import Refused

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNKNOWN, CLS, SEP, MASK = range(len(SPECIAL))


class Pieces(NamedTuple):
    """The pieces of some words: of word i, ``ids[starts[i]:starts[i + 1]]``."""

    ids: Int64[np.ndarray, " pieces"]
    starts: Int64[np.ndarray, " words+1"]


class WordPiece:
    """A vocabulary and the way words are cut into it; the special tokens are its first five."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens, in the order of their ids."""
        numbers = self.tokenizer.get_vocab()
        return tuple(sorted(numbers, key=numbers.__getitem__))

    @cached_property
    def ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary)}

    def __len__(self) -> int:
        return len(self.vocabulary)

    def pieces(self, words: Sequence[str]) -> Pieces:
        """Every word is cut by itself; [MASK] and the other special tokens stay whole."""
        word_ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(words), add_special_tokens=False)]
        starts = np.cumsum([0, *map(len, word_ids)])
        return Pieces(np.array([piece for ids in word_ids for piece in ids], np.int64), starts)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without [CLS] and [SEP]."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def save(self, folder: Path) -> None:
        """Write tokenizer.json, vocab.txt and tokenizer_config.json, as Hugging Face folders have them."""
        files.write(folder / "tokenizer.json", self.tokenizer.to_str(pretty=True).encode())
        files.write(folder / "vocab.txt", "".join(f"{token}\n" for token in self.vocabulary).encode())
        settings = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "strip_accents": False,
            "tokenize_chinese_chars": False,
            "model_max_length": 512,
        }
        files.write_json(folder / "tokenizer_config.json", settings)


def built(model: models.WordPiece) -> Tokenizer:
    """Lower case; cut at spaces and punctuation: Japanese words stay whole and keep their voicing marks."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(handle_chinese_chars=False, strip_accents=False, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def learn(texts: Iterable[str], size: int = 8_192) -> WordPiece:
    """Learn a vocabulary of at most ``size`` tokens from texts. Raises `Refused` where not even the letters fit."""
    texts = list(texts)
    learner = built(models.WordPiece(unk_token=SPECIAL[UNKNOWN]))
    # The library numbers the letters inside words in an order that differs from call to call, and by these numbers it
    # chooses between merges that are equally frequent. Named as special, they are numbered first, in our order.
    inside = sorted({f"##{letter}" for text in texts for word in cut(learner, text) for letter in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=1, special_tokens=[*SPECIAL, *inside], show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    vocabulary = learner.get_vocab()
    if not len(SPECIAL) < len(vocabulary) <= size:
        raise Refused(f"a vocabulary of {size} is too small: special tokens and letters are {len(vocabulary)} already")
    tokenizer = built(models.WordPiece(vocab=vocabulary, unk_token=SPECIAL[UNKNOWN], max_input_chars_per_word=100))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", SEP), ("[CLS]", CLS))
    return WordPiece(tokenizer)


def cut(tokenizer: Tokenizer, text: str) -> list[str]:
    """The words of a text, before they are cut into pieces."""
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))]


def load(folder: Path | str) -> WordPiece:
    """The vocabulary that `save` wrote. Raises `Refused` naming the file that is missing or damaged."""
    path = existing_folder(folder, "a folder with tokenizer.json") / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise files.refusal(path, error) from None
    except Exception as error:  # the library raises nothing narrower
        raise Refused(f"{path} is damaged or no tokenizer: {error}") from None
    if [tokenizer.token_to_id(token) for token in SPECIAL] != list(range(len(SPECIAL))):
        raise Refused(f"{path}: the first tokens are not {', '.join(SPECIAL)}; it is not a vocabulary of this study")
    return WordPiece(tokenizer)
