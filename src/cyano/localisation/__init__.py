"""Visual localisation: where a photograph was taken, in a map that `cyano reconstruct` or `cyano map` made.

    from pathlib import Path

    from cyano.checkpoints import load
    from cyano.engine import Recipe
    from cyano.localisation import Localiser, Map

    place = Map.open(Path("model"), Recipe(load()))
    found = Localiser(place).localise("query.jpg")
    print(found.status, found.centre, found.direction, found.confidence)

How to use it: docs/how-to/localise.md.
"""

from cyano.formats.priors import PositionPrior
from cyano.formats.rigs import Rig, RigCamera
from cyano.localisation.localiser import Localiser
from cyano.localisation.map import Map
from cyano.localisation.maps.adding import Addition, add_images
from cyano.localisation.maps.foreign import ForeignMap, make_map
from cyano.localisation.maps.georeferencing import Georeference, georeference
from cyano.localisation.maps.growth import Growth
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import Candidate, Localisation

__all__ = [
    "Addition",
    "Candidate",
    "ForeignMap",
    "Georeference",
    "Growth",
    "Localisation",
    "LocaliseOptions",
    "Localiser",
    "Map",
    "PositionPrior",
    "Rig",
    "RigCamera",
    "add_images",
    "georeference",
    "make_map",
]
