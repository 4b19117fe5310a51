"""Visual localisation: where a photograph was taken, in a map that `cyano reconstruct` made.

How to use it: docs/how-to/localise.md.
"""

from cyano.localisation.localiser import LocaliseOptions, Localiser
from cyano.localisation.map import Map
from cyano.localisation.outcome import Candidate, Localisation

__all__ = ["Candidate", "Localisation", "LocaliseOptions", "Localiser", "Map"]
