"""The simulation: three years of a sales team's life, as rows for every table.

Deterministic by profile, seed, size and the moment it ends at. Deals walk through their pipeline's stages with
waiting times, slip when their day passes, are won or lost by the skill of the rep and the fit of the story;
what people say in the interactions follows from the deal's story (rival, budget, worries, champion leaving).
Each change is also an event, so that time travel over the generated past is as exact as over the lived one.
"""

from integrations.world.generate.model import Size
from integrations.world.generate.world import World

__all__ = ["Size", "World"]
