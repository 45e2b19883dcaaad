"""DistilBERT's three losses (Sanh et al. 2019, section 3): a small model learns from a large one."""

import copy

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, kl_div, log_softmax, softmax

from phantastic.nn.language.heads import at_positions, word_loss
from phantastic.nn.language.model import Model
from phantastic.pretraining.batches import Batch

TEMPERATURE = 2.0
SOFT, MASKED, COSINE = 5.0, 2.0, 1.0  # weights of the losses, as DistilBERT was trained


def softened(
    student: Float[Tensor, "items classes"], teacher: Float[Tensor, "items classes"], temperature: float = TEMPERATURE
) -> Float[Tensor, ""]:
    """T² KL(teacher ‖ student), both softened by the temperature T (Hinton et al. 2015), in nats: T² keeps the size of
    the gradient."""
    p, log_q = softmax(teacher.float() / temperature, -1), log_softmax(student.float() / temperature, -1)
    return kl_div(log_q, p, reduction="batchmean") * temperature**2


def aligned(student: Float[Tensor, "items width"], teacher: Float[Tensor, "items width"]) -> Float[Tensor, ""]:
    """Mean of 1 - cos of the angle between the two states of a word."""
    return 1 - cosine_similarity(student.float(), teacher.float(), dim=-1).mean()


def distillation(student: Model, teacher: Model, batch: Batch) -> dict[str, Tensor]:
    """``loss`` = 5 ``soft`` + 2 ``masked`` + ``cosine``: the first and the last at all words, the second at those that
    are asked about. The teacher is only read; both are as wide."""
    inputs = {"attention_mask": batch.attention_mask, "token_type_ids": batch.token_type_ids}
    with torch.no_grad():
        teacher_result = teacher(batch.input_ids, **inputs, output_hidden_states=True)
    student_result = student(batch.input_ids, **inputs, output_hidden_states=True)
    present: Bool[Tensor, "batch n"] = batch.attention_mask.bool()
    student_logits, teacher_logits = (
        result.logits if result.prediction_logits is None else result.prediction_logits
        for result in (student_result, teacher_result)
    )
    assert student_logits is not None
    assert teacher_logits is not None
    assert student_result.hidden_states is not None
    assert teacher_result.hidden_states is not None
    terms = {
        "soft": softened(student_logits[present], teacher_logits[present]),
        "masked": word_loss(at_positions(student_logits, batch.prediction_positions), batch.labels),
        "cosine": aligned(student_result.hidden_states[-1][present], teacher_result.hidden_states[-1][present]),
    }
    return {"loss": SOFT * terms["soft"] + MASKED * terms["masked"] + COSINE * terms["cosine"], **terms}


def halved(teacher: Model) -> Model:
    """A student: a copy of the teacher with every other layer, beginning with the first."""
    student = copy.deepcopy(teacher)
    layers = student.transformer.get_submodule("layer")
    assert isinstance(layers, nn.ModuleList)
    student.transformer.layer = layers[::2]  # pyright: ignore[reportAttributeAccessIssue]
    return student
