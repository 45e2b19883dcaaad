"""Texts as a network reads them, and where those come from that it is pre-trained on."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import tokenizers
from jaxtyping import Int
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from phantastic.data.files import folder as existing_folder
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator
from phantastic.pretraining import wordpiece
from phantastic.pretraining.batches import Cohesive
from phantastic.pretraining.corpus import Text
from phantastic.world import sentences
from phantastic.world.language_tasks import QUESTION_WORDS
from phantastic.world.sentences import cohesion

LETTERS = 32_768  # texts from which a vocabulary is learned at most


class Reader:
    """A tokenizer that puts [CLS], [SEP] and their like where its model expects them."""

    def __init__(self, stored: tokenizers.Tokenizer, longest: int):
        self.stored = tokenizers.Tokenizer.from_str(stored.to_str())  # a copy: others may use the original
        self.stored.no_padding()
        self.stored.enable_truncation(longest)

    @classmethod
    def open(cls, folder: Path, longest: int) -> "Reader":
        """That of a model's folder: tokenizer.json, else WordPiece with the words of vocab.txt. Raises `Refused`."""
        path = next((folder / name for name in ("tokenizer.json", "vocab.txt") if (folder / name).exists()), None)
        if path is None:
            raise Refused(f"{str(folder)!r} has no tokenizer; expected there: tokenizer.json or vocab.txt")
        try:
            if path.name == "tokenizer.json":
                return cls(tokenizers.Tokenizer.from_file(str(path)), longest)
            settings = folder / "tokenizer_config.json"
            lower = files.read_json(settings, dict, "the model").get("do_lower_case", True) if settings.exists() else 1
            return cls(BertWordPieceTokenizer(str(path), lowercase=bool(lower))._tokenizer, longest)
        except Refused:
            raise
        except Exception as error:  # the library raises nothing narrower
            raise Refused(f"{path} is damaged or no tokenizer: {error}") from None

    def __len__(self) -> int:
        return self.stored.get_vocab_size()

    def read(self, texts: Sequence[str]) -> tokenizers.Encoding:
        """One text or two, cut at the longer one's end where they are too long together."""
        return self.stored.encode(texts[0], texts[1] if len(texts) > 1 else None)

    def read_words(self, words: Sequence[str]) -> tokenizers.Encoding:
        """A text that is cut into words already."""
        return self.stored.encode(list(words), is_pretokenized=True)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without any put around them."""
        return [encoding.ids for encoding in self.stored.encode_batch_fast(list(texts), add_special_tokens=False)]


@lru_cache(maxsize=2)
def grammar(size: int) -> Cohesive:
    """Cohesive texts of the grammar, and the words that only questions have."""
    world = sentences.grammar()
    return Cohesive(world, wordpiece.learn([*cohesion.vocabulary(world), *QUESTION_WORDS], size))


class Rows:
    """Rows of a person's files as documents: one sentence each, or two. Every round has them in another order."""

    def __init__(self, rows: Sequence[tuple[str, ...]], size: int):
        self.rows = rows
        distinct = list(dict.fromkeys(text for row in rows for text in row))[:LETTERS]
        self.wordpiece = wordpiece.learn(distinct, size)

    @cached_property
    def pieces(self) -> list[list[list[int]]]:
        flat = iter(Reader(self.wordpiece.tokenizer, 1 << 30).pieces([text for row in self.rows for text in row]))
        return [[next(flat) for _ in row] for row in self.rows]

    @property
    def occurring(self) -> Int[np.ndarray, " pieces"]:
        return np.unique([piece for row in self.pieces for text in row for piece in text])

    def text(self, seed: int, purpose: str, first: int, count: int) -> Text:
        rounds = {
            number: numpy_generator(seed, f"{purpose}: order", number).permutation(len(self.rows))
            for number in range(first // len(self.rows), (first + count - 1) // len(self.rows) + 1)
        }
        places = [divmod(place, len(self.rows)) for place in range(first, first + count)]
        documents = [self.pieces[rounds[number][place]] for number, place in places]
        segments = [segment for document in documents for segment in document]
        return Text(
            np.array([token for segment in segments for token in segment], np.int64),
            np.cumsum([0, *map(len, segments)]),
            np.cumsum([0, *map(len, documents)]),
        )


def model_folder(path: str) -> Path:
    """The folder of a pre-trained model, or `Refused`."""
    return existing_folder(path, "a model's folder with config.json, model.safetensors and a tokenizer")
