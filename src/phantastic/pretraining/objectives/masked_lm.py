"""BERT's objectives (Devlin et al. 2019, section 3.1): masked words, and whether segment B follows segment A."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from phantastic.nn.language.heads import word_loss
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch


def masked_lm(model: Model, batch: Batch, *, next_sentence: bool = True) -> dict[str, Tensor]:
    """``loss`` = ``masked`` + ``next``, each a mean in nats: over asked words, over examples.

    Without ``next_sentence`` the second is left out (RoBERTa; the ablation "no NSP").
    """
    result = model(
        batch.input_ids,
        attention_mask=batch.attention_mask,
        token_type_ids=batch.token_type_ids,
        prediction_positions=batch.prediction_positions,
    )
    logits = result.prediction_logits if result.prediction_logits is not None else result.logits
    assert logits is not None
    masked = word_loss(logits, batch.labels)
    if not next_sentence:
        return {"loss": masked, "masked": masked}
    assert result.seq_relationship_logits is not None
    following = cross_entropy(result.seq_relationship_logits.float(), batch.next_sentence_label)
    return {"loss": masked + following, "masked": masked, "next": following}
