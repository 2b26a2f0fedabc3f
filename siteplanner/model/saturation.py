"""How many outlets an area has for what it is worth: the indices of D§6.2, each defined once.

The overlap of an outlet with its siblings is the fifth: `market.overlaps`, beside the shares it is made of.
"""

import numpy as np
from numpy.typing import ArrayLike


def _ratio(above: ArrayLike, below: ArrayLike, nothing: float) -> np.ndarray:
    top, bottom = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    ratio: np.ndarray = np.divide(top, bottom, out=np.full(top.shape, nothing), where=bottom > 0)
    return ratio


def shrunk_lq(
    own: ArrayLike, potential: ArrayLike, city_own: ArrayLike, city_potential: ArrayLike
) -> np.ndarray:
    """Return own outlets against those expected from potential, (own + 1) / (expected + 1).

    The location quotient of D§6.2 with the weight of one outlet that is just as expected: 1 for the city as a
    whole, near 1 where little is expected. (Adding 1 to the outlets alone, as D§6.2 sketches, makes every
    area without potential a dense one.)
    """
    share = _ratio(potential, city_potential, 0.0)
    expected = np.asarray(city_own, dtype=float) * share
    return np.asarray((np.asarray(own, dtype=float) + 1.0) / (expected + 1.0))


def retail_saturation(
    potential: ArrayLike, hours: ArrayLike, city_potential: ArrayLike, city_hours: ArrayLike
) -> np.ndarray:
    """Return the index of retail saturation against the city's, (M / hours) / (M_city / hours_city) (D§6.2).

    Potential per counter-hour: below 0.7 saturated, above 1.4 under-supplied [A]; infinite without hours.
    """
    city = _ratio(city_potential, city_hours, np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = _ratio(potential, hours, np.inf) / city
    return np.asarray(np.where(np.isnan(relative), np.inf, relative))


def fair_share(
    own_volume: ArrayLike, all_volume: ArrayLike, own: ArrayLike, outlets: ArrayLike
) -> np.ndarray:
    """Return the share of the outlets' volume over the share of their number (D§6.2), 0 without own outlets.

    1 where an own outlet does as well as any; about 0.64 struggles to break even (D§6.2). Rivals' volumes are
    the choice model's, ours the observed ones where known.
    """
    return _ratio(_ratio(own_volume, all_volume, 0.0), _ratio(own, outlets, 0.0), 0.0)


def capture(won: ArrayLike, potential: ArrayLike) -> np.ndarray:
    """Return the share of an area's potential that own outlets win, wherever they stand; 0 without any."""
    return _ratio(won, potential, 0.0)
