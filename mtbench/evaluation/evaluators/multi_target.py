"""Several images fulfil a dialogue: measures that count them all, as expected values over ties."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtbench.evaluation.cells import cell
from mtbench.evaluation.evaluators.cutoffs import cutoffs
from mtbench.evaluation.evaluators.relevance import Relevant, average_precision, recall, success
from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

CUTOFFS = (5, 10, 50)

NOTES = (
    "Relevant is every candidate that fulfils the dialogue (column relevant: how many there are on average), the "
    "target among them. targets: final targets.",
    "mAP@K: AP@K = sum of P(i) rel(i) over the first K, by min(relevant, K), as CIRCO has it. recall@K: share of the "
    "relevant images that are found, trec_eval's recall; Success@K: whether any is (R@K elsewhere in this toolkit).",
)


class MultiTarget:
    """mAP@K, recall@K and Success@K over all images that fulfil the dialogue, for K = 5, 10, 50."""

    def run(self, study: Study) -> dict[str, Any]:
        """Rows: over all transactions, and for each number of turns.

        Raises:
            NotAvailableError: the benchmark does not know which images fulfil a dialogue, or rankings are too short.
        """
        dialogues = study.truth.dialogues
        relevant = [dialogues[t.transaction_id].relevant or (t.target,) for t in study.transactions]
        ks, notes = cutoffs(study, CUTOFFS)
        query = np.repeat(np.arange(len(study)), [len(images) for images in relevant])
        asked = [study.histories[row] for row in query.tolist()]
        positions = study.positions_of(asked, [image for images in relevant for image in images])
        where = Relevant(query, positions.greater, positions.equal, len(study))
        values: dict[str, Floats] = {}
        for name, measure in (("mAP", average_precision), ("recall", recall), ("Success", success)):
            values |= {f"{name}@{k}": measure(where, k) for k in ks}
        counts = where.count

        def row(turns: str, rows: Indices, *, pooled: bool) -> dict[str, Any]:
            some = {name: column[rows] for name, column in values.items()}
            found = cell(study, some, rows, pooled=pooled, turns=turns)
            return {**found, "relevant": float(counts[rows].mean())}

        rows = [row("all", np.arange(len(study)), pooled=False)]
        rows += [row(str(n), of, pooled=True) for n, of in study.by_turns()]
        return {"n": len(study), "seed": study.seed, "rows": rows, "notes": [*NOTES, *notes]}
