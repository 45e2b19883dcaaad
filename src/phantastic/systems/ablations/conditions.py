"""The networks that are pre-trained, and what each is asked: the rows of the published tables."""

from typing import NamedTuple

from phantastic.pretraining.corpus import Masking
from phantastic.pretraining.plan import Plan
from phantastic.systems.ablations.study import AblationsRecipe

# of the chosen words: shown as [MASK], as they are, as random words (Devlin et al. 2019, table 8)
MASKINGS = {
    "80-10-10": (0.8, 0.1),
    "100-0-0": (1.0, 0.0),
    "80-0-20": (0.8, 0.0),
    "80-20-0": (0.8, 0.2),
    "0-20-80": (0.0, 0.2),
    "0-0-100": (0.0, 0.0),
}
SIZES = ((1, 4), (1, 2), (1, 1), (2, 1))  # the recipe's layers times the first, its width by the second
DIRECTIONS = ("full", "no-nsp", "ltr", "ltr-lstm")  # table 5
TASKS = {
    "masking": ("questions", "tagging"),
    "size": ("questions", "acceptability"),
    "direction": ("entailment", "paraphrase", "acceptability", "questions"),
}
CURVE = "questions"


class Asked(NamedTuple):
    """A row of a table: which network, how it is used ("tuned", "lstm", "features"), on which task."""

    measure: str
    network: str
    use: str
    task: str


def plans(recipe: AblationsRecipe) -> dict[str, Plan]:
    """Every network by name; "full" is 80-10-10 with next sentences, at the size that the others have."""
    full = Plan(
        recipe.layers,
        recipe.width,
        recipe.heads,
        4 * recipe.width,
        recipe.steps,
        recipe.batch,
        recipe.rate,
        recipe.longest,
    )
    conditions = {
        "full": full,
        "no-nsp": full._replace(next_sentence=False),
        "ltr": full._replace(masking=None, next_sentence=False),
    }
    conditions |= {
        f"masking-{name}": full._replace(masking=Masking(0.15, mask, same))
        for name, (mask, same) in MASKINGS.items()
        if name != "80-10-10"
    }
    return conditions | sizes(full)


def sizes(full: Plan) -> dict[str, Plan]:
    """Four sizes by their networks' names, from small to large; the third is that of all other tables."""
    conditions = {}
    for number, (layers, part) in enumerate(SIZES, 1):
        width = max(full.heads, full.width // part // full.heads * full.heads)
        plan = full._replace(layers=full.layers * layers, width=width, hidden=4 * width)
        conditions["full" if (layers, part) == (1, 1) else f"size-{number}"] = plan
    return conditions


def asked(recipe: AblationsRecipe) -> list[Asked]:
    """Everything that is measured by a task, for every table; some rows share a network."""
    rows = []
    for name in MASKINGS:
        network = "full" if name == "80-10-10" else f"masking-{name}"
        rows += [Asked(f"masking.{name}.{task}.tuned", network, "tuned", task) for task in TASKS["masking"]]
        rows += [Asked(f"masking.{name}.tagging.features", network, "features", "tagging")]
    for number, network in enumerate(sizes(plans(recipe)["full"]), 1):
        rows += [Asked(f"size.{number}.{task}", network, "tuned", task) for task in TASKS["size"]]
    for name in DIRECTIONS:
        network, use = ("ltr", "lstm") if name == "ltr-lstm" else (name, "tuned")
        rows += [Asked(f"direction.{name}.{task}", network, use, task) for task in TASKS["direction"]]
    return rows
