"""The encoder-decoder of Vaswani et al. (2017), figure 1."""

from math import sqrt
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from phantastic.nn.attention import HookPoint, causal, padding
from phantastic.nn.transformer import Block, Positions
from phantastic.systems.transformer.task import BEGIN, END, PAD

Order = Literal["sinusoidal", "learned", "none"]


class Embedding(nn.Module):
    """Words times √width, plus what says where they stand (section 3.4 and 3.5); ``none`` leaves that out.

    Site ``embedded``: the stream as it enters the first block.
    """

    def __init__(self, vocabulary: int, width: int, length: int, order: Order, dropout: float):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, PAD)
        nn.init.normal_(self.words.weight, std=width**-0.5)
        positions = Positions(length, width, learned=order == "learned")
        self.unordered = order == "none"
        self.positions = HookPoint(width, -1) if self.unordered else positions
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, words: Int[Tensor, "batch n"], offset: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch n width"]:
        stream = self.words(words) * sqrt(self.words.embedding_dim)
        return self.dropout(self.positions(stream) if self.unordered else self.positions(stream, offset))


class Transformer(nn.Module):
    """Post-norm blocks with ReLUs; the scores of the words come from the target's embeddings.

    ``decoder[i].memory_attention.weights`` is where the output looks in the input. The scores read the table of the
    site ``target.words`` itself: severing it cuts them too.
    """

    def __init__(
        self,
        source: int,
        target: int,
        *,
        width: int,
        heads: int,
        layers: int,
        hidden: int,
        length: int,
        order: Order = "sinusoidal",
        dropout: float = 0.0,
    ):
        """``source`` and ``target`` are the sizes of the vocabularies, ``length`` the longest input or output."""
        super().__init__()

        def block(memory: int | None) -> Block:
            return Block(
                width,
                heads,
                hidden,
                norm="post",
                activation="relu",
                dropout=dropout,
                attention_dropout=dropout,
                memory_width=memory,
            )

        self.source = Embedding(source, width, length, order, dropout)
        self.target = Embedding(target, width, length, order, dropout)
        self.encoder = nn.ModuleList(block(None) for _ in range(layers))
        self.decoder = nn.ModuleList(block(width) for _ in range(layers))
        self.length = length

    def forward(
        self,
        source: Int[Tensor, "batch n"],
        target: Int[Tensor, "batch m"],
        offset: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch m vocabulary"]:
        """The logits of the word after each of the target's; ``offset``: at which position input and output begin."""
        return self.decode(target, *self.encode(source, offset), offset)

    def encode(
        self, source: Int[Tensor, "batch n"], offset: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "batch n width"], Tensor]:
        """The memory and the mask of its words."""
        x, mask = self.source(source, offset), padding(source != PAD)
        for block in self.encoder:
            x = block(x, mask)
        return x, mask

    def decode(
        self,
        target: Int[Tensor, "batch m"],
        memory: Float[Tensor, "batch n width"],
        memory_mask: Tensor,
        offset: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch m vocabulary"]:
        x, mask = self.target(target, offset), causal(target.shape[1], device=target.device)
        for block in self.decoder:
            x = block(x, mask, memory, memory_mask)
        return x @ self.target.words.weight.t()

    @torch.no_grad()
    def greedy(self, source: Int[Tensor, "batch n"], longest: int) -> Int[Tensor, "batch longest"]:
        """The likeliest next word again and again, until END or ``longest`` words; PAD afterwards."""
        memory = self.encode(source)
        output = source.new_full((len(source), 1), BEGIN)
        ended = torch.zeros_like(output, dtype=torch.bool)
        for _ in range(longest):
            chosen = self.decode(output, *memory)[:, -1:].argmax(-1).masked_fill(ended, PAD)
            output, ended = torch.cat([output, chosen], 1), ended | (chosen == END)
            if ended.all():
                break
        output = output[:, 1:].masked_fill(output[:, 1:] == END, PAD)
        return nn.functional.pad(output, (0, longest - output.shape[1]), value=PAD)

    @torch.no_grad()
    def beam(
        self, source: Int[Tensor, "batch n"], longest: int, size: int = 4, alpha: float = 0.6
    ) -> Int[Tensor, "batch longest"]:
        """The best of what ``size`` outputs at a time lead to (section 6.1); PAD after its END.

        Best is what has the highest log P / lp, where lp = ((5 + words) / 6)^alpha does not let short outputs win for
        being short (Wu et al. 2016, Eq. 14). What has no END after ``longest`` words counts as it stands.
        """
        batch = len(source)
        memory, mask = self.encode(source)
        memory, mask = memory.repeat_interleave(size, 0), mask.repeat_interleave(size, 0)
        output = source.new_full((batch * size, 1), BEGIN)
        logs = torch.full((batch, size), -torch.inf, device=source.device)
        logs[:, 0] = 0.0  # all begin alike: at first there is one
        ended = torch.zeros(batch, size, dtype=torch.bool, device=source.device)
        words = torch.zeros_like(logs)
        first = torch.arange(batch, device=source.device)[:, None] * size
        for _ in range(longest):
            after = self.decode(output, memory, mask)[:, -1].log_softmax(-1).view(batch, size, -1)
            stays = torch.full_like(after, -torch.inf)
            stays[..., PAD] = 0.0
            logs = (logs[..., None] + torch.where(ended[..., None], stays, after)).flatten(1)
            words = words + ~ended
            penalty = ((5 + words) / 6) ** alpha
            best = (logs / penalty.repeat_interleave(after.shape[-1], 1)).topk(size).indices
            parent, word = best // after.shape[-1], best % after.shape[-1]
            logs, words = logs.gather(1, best), words.gather(1, parent)
            output = torch.cat([output[(first + parent).flatten()], word.reshape(-1, 1)], 1)
            ended = ended.gather(1, parent) | (word == END)
            if ended.all():
                break
        output = output.view(batch, size, -1)[:, 0, 1:]
        output = output.masked_fill(output == END, PAD)
        return nn.functional.pad(output, (0, longest - output.shape[1]), value=PAD)
