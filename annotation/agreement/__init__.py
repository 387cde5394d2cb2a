"""How far annotators agree: pure functions of columns, with missing judgments and several levels of measurement.

`columns_of` takes one row for each judgment (comparison, annotator, value). Coefficients for interchangeable annotators
need only `count_columns` of it: `raw_agreement`, `fleiss_kappa`, `krippendorff_alpha`, `gwet_ac`. `cohen_kappa` and
`pairwise_agreement` look at every two annotators, `intraclass_correlation` at ratings, `kendall_w` and `kendall_tau_b`
at rankings. Each returns an `Agreement` with an interval over comparisons, or with the reason why there is none.

Values: of a pairwise comparison -1, 0, 1 (the completion with the lower index is worse, tied, better), with strengths
-s … s; of a ranking the same for each pair of completions (`columns_of_ranks`); of a rating its points.

docs/reference/agreement.md says which coefficient suits which question, and what other libraries do.
"""

from annotation.agreement.coefficients import fleiss_kappa, gwet_ac, krippendorff_alpha, raw_agreement
from annotation.agreement.columns import Columns, coded, columns_of, columns_of_ranks, ranks_of_tiers
from annotation.agreement.correlation import Form, intraclass_correlation
from annotation.agreement.counts import (
    FIRST_BETTER,
    FIRST_WORSE,
    TIED,
    ValueCounts,
    count_columns,
    count_pairs,
    count_values,
)
from annotation.agreement.intervals import CONFIDENCE, NUM_RESAMPLES, Agreement, wilson
from annotation.agreement.pairwise import PairwiseAgreement, cohen_kappa, pairwise_agreement
from annotation.agreement.rankings import kendall_tau_b, kendall_w
from annotation.agreement.weights import Level, Weighting, weight_matrix

__all__ = [
    "CONFIDENCE",
    "FIRST_BETTER",
    "FIRST_WORSE",
    "NUM_RESAMPLES",
    "TIED",
    "Agreement",
    "Columns",
    "Form",
    "Level",
    "PairwiseAgreement",
    "ValueCounts",
    "Weighting",
    "coded",
    "cohen_kappa",
    "columns_of",
    "columns_of_ranks",
    "count_columns",
    "count_pairs",
    "count_values",
    "fleiss_kappa",
    "gwet_ac",
    "intraclass_correlation",
    "kendall_tau_b",
    "kendall_w",
    "krippendorff_alpha",
    "pairwise_agreement",
    "ranks_of_tiers",
    "raw_agreement",
    "weight_matrix",
    "wilson",
]
