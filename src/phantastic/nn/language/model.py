"""A pre-trained model: the layers and what stands on them, called with the Hugging Face library's keyword names."""

from inspect import signature
from typing import Any, cast

from torch import Tensor, nn

from phantastic.ground.errors import Refused, nearest
from phantastic.nn.attention import HookPoint, reading
from phantastic.nn.language.config import Config
from phantastic.nn.language.heads import Head
from phantastic.nn.language.result import Result


class Model(nn.Module):
    """``transformer`` (the layers, each with its ``attention``) and ``head``.

    Its sites are those of the blocks: ``transformer.layer[3].attention.weights``, ``…attention.heads``,
    ``…attention.value``, ``…residual``; ``transformer.embedded``.
    """

    def __init__(self, architecture: str, config: Config, transformer: nn.Module, head: Head):
        super().__init__()
        self.architecture, self.config = architecture, config
        self.transformer, self.head = transformer, head
        self.inputs = tuple(name for name in signature(transformer.forward).parameters if name != "keep")

    def forward(
        self,
        input_ids: Tensor | None = None,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        return_dict: bool = True,
        **inputs: Any,
    ) -> Result:
        """The library's keywords: see `inputs` and, for labels, ``head.targets``; None means not given.

        Attentions are the probabilities before dropout. Raises `Refused` for a keyword the model does not have and
        for ids outside its tables.
        """
        for name in inputs:
            if name not in self.inputs + self.head.targets:
                raise Refused(
                    f"{self.architecture} has no input '{name}'{nearest(name, self.inputs + self.head.targets)}"
                )
        if not return_dict:
            raise Refused("return_dict=False is not possible: a result has named fields")
        arguments = {name: value for name, value in inputs.items() if value is not None}
        if input_ids is not None:
            arguments["input_ids"] = input_ids
        targets: dict[str, Any] = {name: arguments.pop(name) for name in self.head.targets if name in arguments}
        if self.head.choices:
            targets["choices"] = arguments["input_ids" if "input_ids" in arguments else "inputs_embeds"].shape[1]
            arguments = {name: value.flatten(0, 1) for name, value in arguments.items()}
        layers = self.transformer.get_submodule("layer").children() if output_attentions else ()
        points = (cast(HookPoint, layer.get_submodule("attention.weights")) for layer in layers)
        with reading(points) as attentions:
            states = self.transformer(**arguments, keep=output_hidden_states)
        result: Result = self.head(states, **targets)
        result.hidden_states, result.mems = states.hidden, states.memories
        if output_attentions:
            result.attentions = tuple(streams[0] if len(streams) == 1 else tuple(streams) for streams in attentions)
        return result
