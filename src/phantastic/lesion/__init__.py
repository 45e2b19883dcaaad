"""Lesions: named sites x kind of damage x dose, reversible, on any model; see `kinds`, and `doses` for dose curves."""

from phantastic.lesion.doses import MOST_DOSES, Found, Row, by_dose, curve, parse_doses
from phantastic.lesion.kinds import KINDS, Site, Sites, checked, damage, sites

__all__ = [
    "KINDS",
    "MOST_DOSES",
    "Found",
    "Row",
    "Site",
    "Sites",
    "by_dose",
    "checked",
    "curve",
    "damage",
    "parse_doses",
    "sites",
]
