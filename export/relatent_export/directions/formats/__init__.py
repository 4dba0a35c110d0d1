"""Edit directions as they are published, for packs.

    what                  holds                                                    a unit of strength is
    InterFaceGAN          `.npy` [1, D], unit norm, of Z or W                      1
    idinvert              `.npy`, an object: boundary [1, L, D], layers to move    1 a layer
    StyleFeatureEditor    `.npy` [1, L * D], unit norm as a whole                  each layer's part of 1
    e4e family            `.pt` [1, D] or [1, L, D]                                the vectors' own norms
    GANSpace              `.pt` or `.npz` of mean, components, deviations          one standard deviation
    GANSpace's viewer     `.pkl` of one component, with the layers to move         one standard deviation

Whatever it is, a relative strength s adds s times the file's own numbers (`relatent.core.directions`). No
file but GANSpace's holds a bias, so it is 0: the boundary through the origin, as InterFaceGAN's own code has
it. Nothing was measured on this generator: calibration is 0, and the strengths' range is that which the
publishing code uses. The formats are listed in `registry`; a file is parsed once, where it is recognised.
"""
