"""RoBERTa's changes to the data (Liu et al. 2019, section 4): masks drawn anew each time a text is read, and no
next-sentence prediction (train by ``masked_lm(model, batch, next_sentence=False)``).

BERT's corpus is finite and was masked beforehand, ten times over (static masking); here the same text is read again and
again either way, so that the two can be compared.
"""

import numpy as np

from phantastic.ground.randomness import numpy_generator
from phantastic.pretraining.batches import Batch, Examples, tensors
from phantastic.pretraining.corpus import Written, masked

COPIES = 10  # of the corpus, each masked once (dupe_factor of create_pretraining_data.py)


class Epochs:
    """Batches of a finite corpus, ``pools`` pools of 1024 documents, over and over; the order differs by epoch.

    With ``dynamic`` masks depend on the step; else an example is masked in one of ten ways, epoch e in way e mod 10.
    """

    def __init__(self, examples: Examples, *, pools: int = 1, dynamic: bool = True, copies: int = COPIES):
        self.examples, self.length, self.dynamic, self.copies = examples, pools * examples.batches, dynamic, copies
        self.kept: dict[int, tuple[Written, np.ndarray]] = {}

    def place(self, step: int) -> tuple[int, int]:
        """The batch of the corpus that is read at a step, and the number by which its masks are drawn."""
        epoch, position = divmod(step, self.length)
        order = numpy_generator(self.examples.seed, f"{self.examples.purpose}: order", epoch).permutation(self.length)
        batch = int(order[position])
        return batch, step if self.dynamic else self.length * (epoch % self.copies) + batch

    def rows(self, batch: int) -> tuple[Written, np.ndarray]:
        """A batch of the corpus before it is masked. All are kept: in another order nearly every step would make a pool
        anew."""
        if not self.kept:
            self.kept = {number: self.examples.rows(number) for number in range(self.length)}
        return self.kept[batch]

    def __call__(self, step: int) -> Batch:
        batch, number = self.place(step)
        rows, follows = self.rows(batch)
        generator = numpy_generator(self.examples.seed, f"{self.examples.purpose}: masks", number)
        masked_rows = masked(rows.tokens, self.examples.masking, self.examples.occurring, generator)
        return tensors((rows, follows), masked_rows, self.examples.device)
