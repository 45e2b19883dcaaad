"""Multiply-accumulates of a model, counted from its architecture (Nagrani et al. 2021, figure 3, right).

Which vanilla fusion is "half the compute" held against? The published program's, which runs *all* tokens of both senses
through the layers of each and throws half of the result away: at the released size (4 s, fusion layer 0) it computes
417 GMACs, and bottleneck fusion 199. The same numbers come out when a layer computes queries, and what follows, for its
own sense's tokens only: 234 GMACs, so the saving is 15%, not half. With layers shared between the senses one joint pass
does (209). So half the compute is mostly a wasteful rival; what the bottleneck itself saves is attention between all
pairs of tokens.

Counted are linear maps and the two products of attention, as is usual; not normalisation, softmax, activations or sums.
"""

from phantastic.systems.bottleneck.model import Architecture, Compute


def macs(a: Architecture, compute: Compute = "published") -> int:
    """Multiply-accumulates of one clip's forward pass, for what a `FusionTransformer` of this ``compute`` computes."""
    lengths = {name: a.cls + sense.tokens for name, sense in a.senses.items()}
    everything = sum(lengths.values())
    total = sum(sense.tokens * sense.inputs * a.width for sense in a.senses.values())
    for index in range(a.layers):
        last = compute == "read" and a.cls > 0 and index == a.layers - 1
        if index < a.fusion_layer or len(lengths) == 1 or (a.fusion == "bottleneck" and not a.bottleneck_tokens):
            passes = [(a.cls if last else own, own) for own in lengths.values()]
        elif a.fusion == "bottleneck":
            between = a.bottleneck_tokens
            passes = [(a.cls if last else own + between, own + between) for own in lengths.values()]
        elif a.shared:
            passes = [(a.cls * len(lengths) if last else everything, everything)]
        elif compute == "published":
            passes = [(everything, everything) for _ in lengths]
        else:
            passes = [(a.cls if last else own, everything) for own in lengths.values()]
        total += sum(block(queries, keys, a.width, a.hidden) for queries, keys in passes)
    features = a.representation or a.width
    read = len(lengths) if a.classifier == "token" else 1
    return total + read * ((a.width * a.representation if a.representation else 0) + features * a.classes)


def block(queries: int, keys: int, width: int, hidden: int) -> int:
    """One layer, of which ``queries`` tokens are computed and to ``keys`` tokens attended."""
    maps = 2 * (queries + keys) * width**2  # query and output; key and value
    attention = 2 * queries * keys * width  # QKᵀ and its product with V
    return maps + attention + 2 * queries * width * hidden
