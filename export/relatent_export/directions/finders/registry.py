"""Every finder, by the name that `relatent-export directions fit --method` takes."""

from __future__ import annotations

from relatent.core.spaces import Space
from relatent_export.directions.discovery import MOST
from relatent_export.directions.finders.boundary import find_boundaries
from relatent_export.directions.finders.closed_form import find_closed_form
from relatent_export.directions.finders.discover import find_told_apart
from relatent_export.directions.finders.finder import Finder, Need
from relatent_export.directions.finders.mean_jacobian import find_by_jacobian
from relatent_export.directions.finders.nonlinear_walk import find_nonlinear_walks
from relatent_export.directions.finders.orthogonal_jacobian import find_locally
from relatent_export.directions.finders.pca import find_components
from relatent_export.directions.finders.style_space import find_channels
from relatent_export.directions.finders.text import find_global, find_mapper
from relatent_export.directions.finders.walk import find_walks
from relatent_export.text.mapper import STEPS

FINDERS = {
    "boundary": Finder(
        find_boundaries,
        "InterFaceGAN (Shen et al. 2020): a linear SVM",
        Need.LABELS,
        (Space.W, Space.W_PLUS, Space.Z),
        samples=10_000,
        reach=3,
    ),
    "jacobian": Finder(
        find_by_jacobian,
        "the attributes' mean Jacobian, pseudo-inverse",
        Need.CONTROLS,
        (Space.W_PLUS,),
    ),
    "pca": Finder(
        find_components,
        "GANSpace (Härkönen et al. 2020)",
        spaces=(Space.W, Space.P),
        samples=100_000,
        reach=10,
    ),
    "closed_form": Finder(find_closed_form, "SeFa (Shen and Zhou 2021)", reach=3),
    "style_space": Finder(
        find_channels,
        "StyleSpace (Wu et al. 2021): one channel an attribute",
        Need.GRADIENT,
        (Space.STYLE,),
        samples=4_096,
    ),
    "text": Finder(
        find_global,
        "StyleCLIP's global direction (Patashnik et al. 2021)",
        Need.TEXT,
        (Space.STYLE,),
        reach=5,
    ),
    "text_mapper": Finder(
        find_mapper,
        "StyleCLIP's latent mapper (Patashnik et al. 2021)",
        Need.TEXT,
        (Space.W_PLUS,),
        samples=STEPS,
    ),
    "orthogonal_jacobian": Finder(
        find_locally, "the generator's Jacobian at an image (Ramesh et al. 2019)", Need.IMAGE
    ),
    "walk": Finder(find_walks, "linear walks (Jahanian et al. 2020)", samples=800),
    "nonlinear_walk": Finder(find_nonlinear_walks, "non-linear walks (Jahanian et al. 2020)", samples=800),
    "discover": Finder(
        find_told_apart, "told apart by a network (Voynov and Babenko 2020)", samples=8_000, reach=MOST
    ),
}
