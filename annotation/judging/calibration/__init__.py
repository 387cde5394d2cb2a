"""How good a judge is on a campaign's own human judgments: pure functions of columns, one row for each judgment.

`agreement_with_people` holds the judge, people among each other and "the longer one wins" against the same
judgments; `flip_rates`, `position_bias`, `trait_preference` and `place_bias` say what it follows besides quality;
`reliability` what its soft labels are worth; `cost_per_1000` and `version_drift` what it costs and whether a new
version changed it.

Values are those of `annotation.agreement`: above 0 the completion with the lower index is better, 0 a tie, below 0 it
is worse, whatever was shown where; strengths count by their sign. NaN is no judgment. Every figure has an interval, or
the reason why there is none. docs/explanation/judges.md says what each is good for.
"""

from annotation.judging.calibration.biases import (
    FlipRates,
    PlaceBias,
    TraitPreference,
    flip_rates,
    num_list_items,
    place_bias,
    position_bias,
    sign_of_own_family,
    trait_preference,
)
from annotation.judging.calibration.people import PeopleAgreement, RaterAgreement, agreement_with_people
from annotation.judging.calibration.soft_labels import Reliability, ReliabilityRow, reliability
from annotation.judging.calibration.versions import Cost, VersionDrift, cost_per_1000, version_drift

__all__ = [
    "Cost",
    "FlipRates",
    "PeopleAgreement",
    "PlaceBias",
    "RaterAgreement",
    "Reliability",
    "ReliabilityRow",
    "TraitPreference",
    "VersionDrift",
    "agreement_with_people",
    "cost_per_1000",
    "flip_rates",
    "num_list_items",
    "place_bias",
    "position_bias",
    "reliability",
    "sign_of_own_family",
    "trait_preference",
    "version_drift",
]
