"""Hierarchical dynamic models, their filtering and active inference (Friston 2008, 2010), in float64."""

from phantastic.inference.action import act
from phantastic.inference.attenuation import attenuate
from phantastic.inference.generalised_filtering import generalised_filter
from phantastic.inference.generation import generate
from phantastic.inference.learn import invert
from phantastic.inference.model import Level, LogPrecision, Model, Prior
from phantastic.inference.result import Result

__all__ = [
    "Level",
    "LogPrecision",
    "Model",
    "Prior",
    "Result",
    "act",
    "attenuate",
    "generalised_filter",
    "generate",
    "invert",
]
